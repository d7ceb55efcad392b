/** Where the cells of the grid of maps stand, and what lies under the pointer: whole numbers, no drawing. */

export interface Grid {
  count: number;
  /** Cells a row. */
  across: number;
  down: number;
  /** Measures of a map on the screen. */
  wide: number;
  tall: number;
  /** From one cell to the next. */
  stepX: number;
  stepY: number;
  /** Of the whole grid. */
  height: number;
}

export const GAP = 8;
export const EDGE = 10;
export const LABEL = 16;
/** The longer side of a map, at most. */
export const LARGEST = 720;
// Sequences are a value or a few high: they are drawn higher than they are, to be seen at all.
const FLATTEST = 1 / 6;
const TALLEST = 3;

/** `size` is about how wide a map should be; `rows` and `columns` give its proportions. */
export function gridOf(count: number, width: number, size: number, rows: number, columns: number): Grid {
  const ratio = Math.min(Math.max(rows / columns, FLATTEST), TALLEST);
  const room = Math.max(width - 2 * EDGE + GAP, 1);
  const wished = Math.max(Math.min(Math.round(ratio > 1 ? size / ratio : size), room - GAP), 8);
  const across = Math.max(Math.floor(room / (wished + GAP)), 1);
  // More than one row of them: each grows a little, so that the rows end where the panel ends.
  const wide = count > across ? Math.max(Math.floor(room / across) - GAP, 8) : wished;
  const tall = Math.max(Math.round(wide * ratio), 1);
  const down = Math.ceil(count / across);
  const stepX = wide + GAP;
  const stepY = tall + LABEL + GAP;
  return { count, across, down, wide, tall, stepX, stepY, height: 2 * EDGE + down * stepY - GAP };
}

/** How large maps can be that are all seen at once: their longer side, as `gridOf` takes it; 0 where there is no room. */
export function sizeToSee(count: number, width: number, height: number, rows: number, columns: number): number {
  const ratio = Math.min(Math.max(rows / columns, FLATTEST), TALLEST);
  let widest = 0;
  for (let across = 1; across <= count; across++) {
    const wide = Math.floor((width - 2 * EDGE + GAP) / across) - GAP; // several rows end where the panel ends
    const most = Math.floor(((height - 2 * EDGE + GAP) / Math.ceil(count / across) - LABEL - GAP) / ratio);
    if (wide <= most) widest = Math.max(widest, wide);
    else if (across === count) widest = Math.max(widest, most);
  }
  return ratio > 1 ? widest * ratio : widest;
}

/** The top left corner of a map. */
export function cornerOf(grid: Grid, place: number): { x: number; y: number } {
  return { x: EDGE + (place % grid.across) * grid.stepX, y: EDGE + Math.floor(place / grid.across) * grid.stepY };
}

/** The cells whose rows touch the band from `top` to `bottom`: first, and one after the last. */
export function within(grid: Grid, top: number, bottom: number): [number, number] {
  const first = Math.max(Math.floor((top - EDGE) / grid.stepY), 0);
  const last = Math.min(Math.floor((bottom - EDGE) / grid.stepY), grid.down - 1);
  return [Math.min(first * grid.across, grid.count), Math.min((last + 1) * grid.across, grid.count)];
}

/** The cell at a point, and how far across and down its map the point is (0 to 1); null between cells. */
export function under(grid: Grid, x: number, y: number): { place: number; across: number; down: number; inside: boolean } | null {
  const column = Math.floor((x - EDGE) / grid.stepX);
  const row = Math.floor((y - EDGE) / grid.stepY);
  const place = row * grid.across + column;
  if (column < 0 || column >= grid.across || row < 0 || place >= grid.count) return null;
  const across = (x - EDGE - column * grid.stepX) / grid.wide;
  const down = (y - EDGE - row * grid.stepY) / grid.tall;
  if (across >= 1 || down * grid.tall >= grid.tall + LABEL) return null;
  return { place, across, down, inside: down < 1 };
}

/** The level of detail that has about as many values as the map has pixels on the screen. */
export function levelFor(columns: number, levels: number, pixels: number): number {
  let level = 0;
  while (level + 1 < levels && columns / 2 ** (level + 1) >= pixels * 0.8) level++;
  return level;
}

/** Which place a key leads to from `place`; undefined for keys that don't move. */
export function moved(grid: Grid, place: number, key: string, page: number): number | undefined {
  const step: Record<string, number> = {
    ArrowRight: 1,
    ArrowLeft: -1,
    ArrowDown: grid.across,
    ArrowUp: -grid.across,
    PageDown: grid.across * page,
    PageUp: -grid.across * page,
  };
  if (key === "Home") return 0;
  if (key === "End") return grid.count - 1;
  const by = step[key];
  if (by === undefined) return undefined;
  const next = place + by;
  if (next >= 0 && next < grid.count) return next;
  return key.startsWith("Page") ? Math.min(Math.max(next, 0), grid.count - 1) : place;
}
