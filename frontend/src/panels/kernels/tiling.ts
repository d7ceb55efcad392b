/**
 * Where each kernel stands: filters as lines and channels as columns, or filters one after another where each has a
 * single tile. Pixels only; which filter comes first is the panel's to say.
 */

/** Kernels a filter, and the rows and columns of one; what lies deeper is stacked below one another. */
export interface KernelShape {
  filters: number;
  channels: number;
  rows: number;
  columns: number;
}

export interface Tiling {
  /** Several filters a line. */
  wraps: boolean;
  /** Pixels of one weight's side. */
  cell: number;
  tile: { width: number; height: number };
  pitch: { x: number; y: number };
  /** What stands left of the first tile of a line: the filter's number and its norm. */
  gutter: number;
  /** Tiles a line, and lines. */
  across: number;
  lines: number;
  width: number;
  height: number;
}

/** A weight's place: which in the order of filters, which tile of it, and where in the tile. */
export interface Weight {
  place: number;
  tile: number;
  row: number;
  column: number;
}

const GAP = 4;
const BAR = 5;
const MARGIN = 12;
const GUTTER = 96;
const SIDE = { one: 44, many: 27 };
const CELL = { least: 3, most: 14 };

export function shapeOf(shape: readonly number[]): KernelShape {
  const [filters = 0, channels = 1, ...axes] = shape;
  const columns = axes[axes.length - 1] ?? 1;
  const rows = axes.slice(0, -1).reduce((product, size) => product * size, 1);
  return { filters, channels, rows, columns };
}

/** The input channel that a filter's first kernel reads: grouped filters read only the channels of their group. */
export function firstChannel(filter: number, kernels: KernelShape, groups: number): number {
  return Math.floor(filter / Math.max(kernels.filters / Math.max(groups, 1), 1)) * kernels.channels;
}

/** `tiles` is how many a filter has: its channels, or one where they are drawn as one colour. */
export function tilingOf(kernels: KernelShape, tiles: number, room: number): Tiling {
  const wraps = tiles === 1;
  const side = wraps ? SIDE.one : SIDE.many;
  const cell = Math.min(Math.max(Math.floor(side / Math.max(kernels.rows, kernels.columns)), CELL.least), CELL.most);
  const tile = { width: kernels.columns * cell, height: kernels.rows * cell };
  const pitch = wraps
    ? { x: Math.max(tile.width, 16) + GAP * 2, y: tile.height + BAR + GAP * 2 }
    : { x: tile.width + GAP, y: Math.max(tile.height, 14) + GAP };
  const gutter = wraps ? MARGIN : GUTTER;
  const across = wraps ? Math.max(1, Math.min(kernels.filters, Math.floor((room - gutter) / pitch.x))) : tiles;
  const lines = wraps ? Math.ceil(kernels.filters / across) : kernels.filters;
  return { wraps, cell, tile, pitch, gutter, across, lines, width: gutter + across * pitch.x, height: GAP + lines * pitch.y };
}

/** The top left corner of a tile. */
export function cornerOf(tiling: Tiling, place: number, tile: number): { x: number; y: number } {
  const line = tiling.wraps ? Math.floor(place / tiling.across) : place;
  const column = tiling.wraps ? place % tiling.across : tile;
  return { x: tiling.gutter + column * tiling.pitch.x, y: GAP + line * tiling.pitch.y };
}

/** The filters and tiles of which a part is seen: (first, one after the last). */
export function seen(tiling: Tiling, filters: number, view: { left: number; top: number; width: number; height: number }) {
  const first = Math.max(0, Math.floor((view.top - GAP) / tiling.pitch.y));
  const last = Math.min(tiling.lines, Math.ceil((view.top + view.height) / tiling.pitch.y));
  const per = tiling.wraps ? tiling.across : 1;
  const left = tiling.wraps ? 0 : Math.max(0, Math.floor((view.left - tiling.gutter) / tiling.pitch.x));
  const right = tiling.wraps ? 1 : Math.min(tiling.across, Math.ceil((view.left + view.width - tiling.gutter) / tiling.pitch.x));
  return { places: [first * per, Math.min(last * per, filters)] as const, tiles: [left, right] as const };
}

/** The weight under a point; null between the tiles. */
export function weightAt(tiling: Tiling, filters: number, x: number, y: number): Weight | null {
  const line = Math.floor((y - GAP) / tiling.pitch.y);
  const across = Math.floor((x - tiling.gutter) / tiling.pitch.x);
  if (line < 0 || line >= tiling.lines || across < 0 || across >= tiling.across) return null;
  const place = tiling.wraps ? line * tiling.across + across : line;
  if (place >= filters) return null;
  const tile = tiling.wraps ? 0 : across;
  const corner = cornerOf(tiling, place, tile);
  const [column, row] = [Math.floor((x - corner.x) / tiling.cell), Math.floor((y - corner.y) / tiling.cell)];
  const inside = column >= 0 && row >= 0 && x < corner.x + tiling.tile.width && y < corner.y + tiling.tile.height;
  return inside ? { place, tile, row, column } : null;
}
