/** The pixels of the large map: tiles from coarse to fine, the lines between values, and the numbers in them. */
import { inkOn } from "../../paint/colours";
import { type Pieces, sheetOf } from "../../paint/pieces";
import { indexOf, type Scale } from "../../paint/scale";
import { levelAt, type Seen, type TileAt, tilesIn } from "../../paint/tiles";
import type { MapFact } from "../../source/facts";
import { TILE, type TilePlace } from "../../source/source";
import { short } from "../numbers";
import { type Camera, tallness, type Window } from "./camera";

/** Screen pixels a value from which on lines part the values, and numbers stand in them. */
const LINES = 12;
const NUMBERS = 44;

export interface Scene {
  map: MapFact;
  run: string;
  channel: number;
  slice: number;
  scale: Scale;
  camera: Camera;
  window: Window;
  ratio: number;
  pieces: Pieces;
  /** Of the page's type, for the numbers. */
  font: string;
}

/** What is seen of the map, in whole rows and columns. */
export function seenIn({ camera, window, map }: Scene): Seen {
  const down = camera.zoom * tallness(map);
  return {
    top: Math.max(Math.floor(camera.y), 0),
    bottom: Math.min(Math.ceil(camera.y + window.height / down), map.rows),
    left: Math.max(Math.floor(camera.x), 0),
    right: Math.min(Math.ceil(camera.x + window.width / camera.zoom), map.columns),
  };
}

export function levelOf(scene: Scene): number {
  return levelAt(scene.camera.zoom * scene.ratio, scene.map.levels);
}

/** The tiles that this scene needs. Coarser ones are there from when the whole map was shown, and stand in for these. */
export function needed(scene: Scene): TilePlace[] {
  const { map, channel, slice } = scene;
  const level = levelOf(scene);
  return tilesIn(seenIn(scene), level).map((tile) => ({ layer: map.layer, level, channel, slice, ...tile }));
}

/** Draws what is loaded; true when nothing that is seen is missing. */
export function drawScene(context: CanvasRenderingContext2D, scene: Scene): boolean {
  const { map, run, channel, slice, pieces } = scene;
  const seen = seenIn(scene);
  const level = levelOf(scene);
  const place = (which: number, tile: TileAt): TilePlace => ({ layer: map.layer, level: which, channel, slice, ...tile });
  const fine = tilesIn(seen, level);
  const whole = fine.every((tile) => pieces.hasTile(run, place(level, tile)));
  const from = whole ? level : Math.max(map.levels - 1, level);
  context.save();
  context.beginPath();
  const [x, y] = onScreen(scene);
  context.rect(x(0), y(0), x(map.columns) - x(0), y(map.rows) - y(0));
  context.clip();
  for (let which = from; which >= level; which--) {
    for (const tile of tilesIn(seen, which)) drawTile(context, scene, seen, place(which, tile));
  }
  context.restore();
  if (level === 0 && scene.camera.zoom >= LINES) drawLines(context, scene, seen);
  if (level === 0 && scene.camera.zoom >= NUMBERS) drawNumbers(context, scene, seen);
  return whole;
}

/** From columns and rows to real pixels of the canvas. */
export function onScreen({ camera, map, ratio }: Scene): [(column: number) => number, (row: number) => number] {
  const down = camera.zoom * tallness(map);
  return [
    (column) => Math.round((column - camera.x) * camera.zoom * ratio),
    (row) => Math.round((row - camera.y) * down * ratio),
  ];
}

function drawTile(context: CanvasRenderingContext2D, scene: Scene, seen: Seen, place: TilePlace): void {
  const piece = scene.pieces.tile(scene.run, place);
  if (!piece) return;
  const sheet = sheetOf(piece, () => scene.scale);
  const step = 2 ** place.level;
  const [x, y] = onScreen(scene);
  const [firstRow, firstColumn] = [place.row * TILE, place.column * TILE];
  // Only what is seen of the tile is stretched: close by, a whole one would be tens of thousands of pixels wide.
  const top = Math.max(Math.floor(seen.top / step) - firstRow, 0);
  const left = Math.max(Math.floor(seen.left / step) - firstColumn, 0);
  const bottom = Math.min(Math.ceil(seen.bottom / step) - firstRow, piece.rows);
  const right = Math.min(Math.ceil(seen.right / step) - firstColumn, piece.columns);
  if (bottom <= top || right <= left) return;
  const [x0, x1] = [x((firstColumn + left) * step), x((firstColumn + right) * step)];
  const [y0, y1] = [y((firstRow + top) * step), y((firstRow + bottom) * step)];
  context.imageSmoothingEnabled = x1 - x0 < right - left;
  context.drawImage(sheet, left, top, right - left, bottom - top, x0, y0, x1 - x0, y1 - y0);
}

function drawLines(context: CanvasRenderingContext2D, scene: Scene, seen: Seen): void {
  const [x, y] = onScreen(scene);
  const [left, right, top, bottom] = [x(seen.left), x(seen.right), y(seen.top), y(seen.bottom)];
  context.fillStyle = "rgb(128 128 128 / 0.4)";
  for (let column = seen.left; column <= seen.right; column++) context.fillRect(x(column), top, 1, bottom - top);
  for (let row = seen.top; row <= seen.bottom; row++) context.fillRect(left, y(row), right - left, 1);
}

function drawNumbers(context: CanvasRenderingContext2D, scene: Scene, seen: Seen): void {
  const { map, run, channel, slice, scale, camera, ratio, pieces } = scene;
  const [x, y] = onScreen(scene);
  const cell = camera.zoom * ratio;
  context.font = `${Math.min(cell / 5, 15 * ratio)}px ${scene.font}`;
  context.textAlign = "center";
  context.textBaseline = "middle";
  for (let row = seen.top; row < seen.bottom; row++) {
    for (let column = seen.left; column < seen.right; column++) {
      const read = pieces.value(run, map, { channel, slice, row, column });
      if (read === undefined) continue;
      const { value, near } = read;
      context.fillStyle = inkOn(scale.diverging, indexOf(value, scale));
      const text = short(Number.isFinite(value) ? value : value > 0 ? "Infinity" : value < 0 ? "-Infinity" : "NaN");
      context.fillText(near ? `≈ ${text}` : text, (x(column) + x(column + 1)) / 2, (y(row) + y(row + 1)) / 2, cell - 4 * ratio);
    }
  }
}

/** Crosshair and ring, above the map. */
export function drawMarks(
  context: CanvasRenderingContext2D,
  scene: Scene,
  at: { down: number; across: number } | null,
  pixel: readonly [number, number] | null,
): void {
  const { ratio } = scene;
  const [x, y] = onScreen(scene);
  const colour = getComputedStyle(context.canvas).color;
  context.fillStyle = colour;
  context.strokeStyle = colour;
  const thick = Math.max(Math.round(ratio), 1);
  if (at) drawCrosshair(context, scene, at);
  if (!pixel) return;
  const [row, column] = pixel;
  const [wide, high] = [x(column + 1) - x(column), y(row + 1) - y(row)];
  context.lineWidth = 2 * thick;
  if (wide >= 8 * ratio) {
    context.strokeRect(x(column), y(row), wide, high);
  } else {
    context.beginPath();
    context.arc(x(column + 0.5), y(row + 0.5), 6 * ratio, 0, 2 * Math.PI);
    context.stroke();
  }
}

/** Lines across the whole map that leave the pixel itself free; a frame alone where numbers stand in the cells. */
function drawCrosshair(context: CanvasRenderingContext2D, scene: Scene, at: { down: number; across: number }): void {
  const { map, ratio, camera } = scene;
  const [x, y] = onScreen(scene);
  const [column, row] = [at.across * map.columns, at.down * map.rows];
  const [left, right] = [x(Math.floor(column)), x(Math.floor(column) + 1)];
  const [above, below] = [y(Math.floor(row)), y(Math.floor(row) + 1)];
  const thick = Math.max(Math.round(ratio), 1);
  if (camera.zoom >= LINES) {
    context.lineWidth = thick;
    context.strokeRect(left + 0.5, above + 0.5, right - left, below - above);
  }
  if (camera.zoom >= NUMBERS) return;
  const free = Math.max(right - left, 8 * ratio) / 2;
  const [middle, centre] = [Math.round((left + right) / 2), Math.round((above + below) / 2)];
  context.fillRect(x(0), centre, middle - free - x(0), thick);
  context.fillRect(middle + free, centre, x(map.columns) - middle - free, thick);
  context.fillRect(middle, y(0), thick, centre - free - y(0));
  context.fillRect(middle, centre + free, thick, y(map.rows) - centre - free);
}
