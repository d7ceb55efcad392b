/** Which tiles of a large map are seen: the level of detail that fits the zoom, and where each tile lies. */
import { TILE } from "../source/source";

export interface Seen {
  /** First and one after the last row and column of the map, whole pixels. */
  top: number;
  bottom: number;
  left: number;
  right: number;
}

export interface TileAt {
  row: number;
  column: number;
}

/** The coarsest level whose values are at most as large as a screen pixel, or the values themselves. */
export function levelAt(pixelsPerValue: number, levels: number): number {
  if (pixelsPerValue >= 1) return 0;
  return Math.min(Math.floor(Math.log2(1 / pixelsPerValue) + 0.25), Math.max(levels - 1, 0));
}

/** The tiles of a level that touch what is seen, the nearest to its middle first. */
export function tilesIn(seen: Seen, level: number): TileAt[] {
  const edge = TILE * 2 ** level;
  const tiles: TileAt[] = [];
  for (let row = Math.floor(seen.top / edge); row * edge < seen.bottom; row++) {
    for (let column = Math.floor(seen.left / edge); column * edge < seen.right; column++) tiles.push({ row, column });
  }
  const middleRow = (seen.top + seen.bottom) / 2 / edge - 0.5;
  const middleColumn = (seen.left + seen.right) / 2 / edge - 0.5;
  const far = (tile: TileAt) => (tile.row - middleRow) ** 2 + (tile.column - middleColumn) ** 2;
  return tiles.sort((a, b) => far(a) - far(b));
}
