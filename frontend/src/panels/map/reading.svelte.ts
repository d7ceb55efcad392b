/** The value of the pixel under the cursor, in whichever panel the cursor is. */
import { piecesOf, tileOf, type Read } from "../../paint/pieces";
import { Latest } from "../../state/latest";
import type { Hover, View } from "../../state/view.svelte";

class Reading {
  /** Null while the value isn't here yet. */
  value = $state.raw<Read | null>(null);
  hover = $state.raw<Hover | null>(null);
  readonly #asking = new Latest();

  /** What is loaded is read at once; the tile that holds the value is fetched otherwise. */
  follow(view: View): void {
    const hover = view.hover;
    const run = view.run?.id;
    const map = hover ? view.maps.get(hover.layer) : undefined;
    this.#asking.drop();
    this.hover = hover;
    if (!hover || !map || run === undefined) {
      this.value = null;
      return;
    }
    const pieces = piecesOf(view.source);
    const at = { channel: hover.channel, slice: view.slice, row: hover.row, column: hover.column };
    const known = pieces.value(run, map, at);
    this.value = known ?? null;
    if (known !== undefined) return;
    void this.#asking.ask(
      (signal) => pieces.loadTile(run, tileOf(map.layer, at), signal),
      () => void (this.value = pieces.value(run, map, at) ?? null),
    ); // lost: the page says so elsewhere
  }
}

const readings = new WeakMap<View, Reading>();

export function readingOf(view: View): Reading {
  let reading = readings.get(view);
  if (!reading) readings.set(view, (reading = new Reading()));
  return reading;
}

/** Where the cursor is as shares of the map's height and width, which all maps of a picture have in common. */
export function relative(view: View): { down: number; across: number } | null {
  const hover = view.hover;
  if (!hover) return null;
  const size = view.maps.get(hover.layer) ?? view.run;
  if (!size || size.rows < 1 || size.columns < 1) return null;
  return { down: (hover.row + 0.5) / size.rows, across: (hover.column + 0.5) / size.columns };
}
