/** The pixels of the grid: maps on one canvas, crosshairs on another above it. */
import { css } from "../../paint/colours";
import type { Sheet } from "../../paint/painter";
import { type Piece, type Pieces, sheetOf, type Which } from "../../paint/pieces";
import { indexOf, type Scale } from "../../paint/scale";
import type { Grid } from "./layout";

interface Cell {
  channel: number;
  x: number;
  y: number;
}

interface Band {
  band: readonly Cell[];
  grid: Grid;
  /** Where the canvas begins in the grid. */
  top: number;
  ratio: number;
}

/** Gives a canvas its size in real pixels and clears it. */
export function fitCanvas(canvas: HTMLCanvasElement, width: number, height: number, ratio: number): CanvasRenderingContext2D | null {
  const [wide, high] = [Math.round(width * ratio), Math.round(height * ratio)];
  if (canvas.width !== wide || canvas.height !== high) {
    canvas.width = wide;
    canvas.height = high;
    canvas.style.width = `${width}px`;
    canvas.style.height = `${height}px`;
  }
  const context = canvas.getContext("2d");
  context?.clearRect(0, 0, wide, high);
  return context;
}

interface Maps extends Band {
  which: Which;
  pieces: Pieces;
  scaleOf: (channel: number) => Scale;
  /** The one value of each channel of a vector, which needs no loading. */
  value: ((channel: number) => number) | null;
}

/** Draws what is loaded; returns the cells that wait. */
export function drawMaps(context: CanvasRenderingContext2D, maps: Maps): Cell[] {
  const { band, grid, top, ratio, which, pieces, scaleOf, value } = maps;
  const sheets = new Map<Piece, Sheet>();
  const missing: Cell[] = [];
  for (const cell of band) {
    const left = Math.round(cell.x * ratio);
    const above = Math.round((cell.y - top) * ratio);
    const wide = Math.round((cell.x + grid.wide) * ratio) - left;
    const high = Math.round((cell.y - top + grid.tall) * ratio) - above;
    if (value) {
      const scale = scaleOf(cell.channel);
      context.fillStyle = css(scale.diverging, indexOf(value(cell.channel), scale));
      context.fillRect(left, above, wide, high);
      continue;
    }
    const part = pieces.whole(which, cell.channel);
    if (!part) {
      missing.push(cell);
      continue;
    }
    const { piece, n } = part;
    let sheet = sheets.get(piece);
    if (!sheet) sheets.set(piece, (sheet = sheetOf(piece, scaleOf)));
    // Enlarged, a value is a square with sharp edges; made smaller, several values share a pixel.
    const smaller = piece.columns > wide || piece.rows > high;
    context.imageSmoothingEnabled = smaller;
    if (smaller && piece.channels.length > 1) {
      context.drawImage(alone(sheet, piece, n), left, above, wide, high);
    } else {
      context.drawImage(sheet, 0, n * piece.rows, piece.columns, piece.rows, left, above, wide, high);
    }
  }
  return missing;
}

let single: OffscreenCanvas | null = null;

/** One map of a sheet on a canvas of its own: where pixels are mixed, those of its neighbours may not be among them. */
function alone(sheet: Sheet, piece: Piece, n: number): OffscreenCanvas {
  single ??= new OffscreenCanvas(1, 1);
  if (single.width !== piece.columns) single.width = piece.columns;
  if (single.height !== piece.rows) single.height = piece.rows;
  const context = single.getContext("2d", { alpha: false });
  context?.drawImage(sheet, 0, -n * piece.rows);
  return single;
}

interface Marks extends Band {
  at: { down: number; across: number } | null;
  ring: { down: number; across: number } | null;
  chosen: number;
}

/** Draws the crosshair through every map, and a ring around the chosen pixel of the chosen one. */
export function drawCrosshairs(context: CanvasRenderingContext2D, marks: Marks): void {
  const { band, grid, top, ratio, at, ring, chosen } = marks;
  if (!at && !ring) return;
  const colour = getComputedStyle(context.canvas).color;
  context.fillStyle = colour;
  context.strokeStyle = colour;
  const thick = Math.max(Math.round(ratio), 1);
  const free = Math.round(4 * ratio);
  context.lineWidth = 2 * thick;
  for (const cell of band) {
    const left = Math.round(cell.x * ratio);
    const above = Math.round((cell.y - top) * ratio);
    const [wide, high] = [grid.wide * ratio, grid.tall * ratio];
    if (at) {
      // The pixel itself stays free, so that its colour can be seen.
      const [x, y] = [Math.floor(at.across * wide), Math.floor(at.down * high)];
      context.fillRect(left, above + y, Math.max(x - free, 0), thick);
      context.fillRect(left + x + free, above + y, Math.max(wide - x - free, 0), thick);
      context.fillRect(left + x, above, thick, Math.max(y - free, 0));
      context.fillRect(left + x, above + y + free, thick, Math.max(high - y - free, 0));
    }
    if (ring && cell.channel === chosen) {
      context.beginPath();
      context.arc(left + ring.across * wide, above + ring.down * high, 5 * ratio, 0, 2 * Math.PI);
      context.stroke();
    }
  }
}
