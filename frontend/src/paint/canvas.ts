/** Numbers to pixels without a graphics card: a table of colours into a 2-D canvas. */
import { palette } from "./colours";
import type { Painter } from "./painter";
import { indexes, type Scale } from "./scale";

export class CanvasPainter implements Painter {
  readonly kind = "canvas";
  readonly most = 8192;
  #tables = new Map<boolean, Uint32Array>();
  #indices = new Uint8Array(0);

  paint(values: Float32Array, rows: number, columns: number, scales: readonly Scale[]): OffscreenCanvas {
    const sheet = new OffscreenCanvas(Math.max(columns, 1), Math.max(rows * scales.length, 1));
    const context = sheet.getContext("2d", { alpha: false });
    if (!context) return sheet;
    const image = context.createImageData(sheet.width, sheet.height);
    const pixels = new Uint32Array(image.data.buffer);
    const size = rows * columns;
    if (this.#indices.length < size) this.#indices = new Uint8Array(size);
    scales.forEach((scale, map) => {
      const first = map * size;
      const indices = indexes(values.subarray(first, first + size), scale, this.#indices);
      const table = this.#table(scale.diverging);
      for (let n = 0; n < size; n++) pixels[first + n] = table[indices[n] as number] as number;
    });
    context.putImageData(image, 0, 0);
    return sheet;
  }

  #table(diverging: boolean): Uint32Array {
    let table = this.#tables.get(diverging);
    if (!table) {
      const colours = palette(diverging);
      const bytes = new Uint8Array(256 * 4).fill(255);
      for (let n = 0; n < 256; n++) bytes.set(colours.subarray(n * 3, n * 3 + 3), n * 4);
      table = new Uint32Array(bytes.buffer);
      this.#tables.set(diverging, table);
    }
    return table;
  }
}
