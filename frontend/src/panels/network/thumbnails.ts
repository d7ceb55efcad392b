/** The strongest map of each layer, small: asked for when first in sight, a few at a time, kept while the run is shown. */
import type { MapFact } from "../../source/facts";
import type { Source } from "../../source/source";
import { palette } from "../../paint/colours";
import { indexes, scaleFor } from "../../paint/scale";

const SIDE = 64;
const AT_ONCE = 3;

export class Thumbnails {
  #made = new Map<string, HTMLCanvasElement | null>();
  #queue: MapFact[] = [];
  #busy = 0;
  #picture: HTMLImageElement | null = null;

  constructor(
    readonly source: Source,
    readonly run: string,
    readonly changed: () => void,
    /** Those of the step of training that was shown before, seen until these are made. */
    private before: Thumbnails | null = null,
  ) {
    if (before) before.before = null;
  }

  of(map: MapFact): HTMLCanvasElement | null {
    if (!this.#made.has(map.layer)) {
      this.#made.set(map.layer, null);
      if (map.rows > 1 && map.columns > 1) this.#queue.unshift(map);
      this.#next();
    }
    return this.#made.get(map.layer) ?? this.before?.made(map.layer) ?? null;
  }

  made(layer: string): HTMLCanvasElement | null {
    return this.#made.get(layer) ?? null;
  }

  /** The picture as the network reads it. */
  picture(): HTMLImageElement | null {
    if (!this.#picture) {
      this.#picture = new Image();
      this.#picture.onload = this.changed;
      this.#picture.src = this.source.pictureAddress(this.run);
    }
    return this.#picture.complete && this.#picture.naturalWidth > 0 ? this.#picture : (this.before?.picture() ?? null);
  }

  #next(): void {
    while (this.#busy < AT_ONCE) {
      const map = this.#queue.shift();
      if (!map) return;
      this.#busy++;
      this.#make(map)
        .catch(() => undefined) // without its thumbnail a node says all that it must
        .finally(() => {
          this.#busy--;
          this.#next();
        });
    }
  }

  async #make(map: MapFact): Promise<void> {
    let level = 0;
    while (level < map.levels - 1 && Math.max(map.rows, map.columns) / 2 ** level > SIDE) level++;
    const { data, shape } = await this.source.maps(this.run, map.layer, level, [map.strongest], 0);
    const [rows, columns] = [shape[1] ?? 1, shape[2] ?? 1];
    let [least, most] = [Infinity, -Infinity];
    for (const value of data) if (Number.isFinite(value)) [least, most] = [Math.min(least, value), Math.max(most, value)];
    const scale = least <= most ? scaleFor(least, most) : scaleFor(null, null);
    const colours = palette(scale.diverging);
    const image = new ImageData(columns, rows);
    indexes(data, scale).forEach((index, n) => image.data.set([...colours.subarray(index * 3, index * 3 + 3), 255], n * 4));
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [columns, rows];
    canvas.getContext("2d")?.putImageData(image, 0, 0);
    this.#made.set(map.layer, canvas);
    this.changed();
  }
}
