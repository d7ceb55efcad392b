/** Draws the kernels that are seen: a square a weight, in the diverging colours or as red, green and blue. */
import { css, MINUS_INFINITY, NOT_A_NUMBER, PLUS_INFINITY } from "../../paint/colours";
import { indexes } from "../../paint/scale";
import type { Weights } from "./reading.svelte";
import { cornerOf, seen, type KernelShape, type Tiling } from "./tiling";

export interface Drawn {
  weights: Weights;
  shape: KernelShape;
  tiling: Tiling;
  /** Filters in the order they stand in. */
  order: readonly number[];
  colour: boolean;
  chosen: number;
  /** What the colours' ends stand for; null where each filter has its own. */
  limit: number | null;
  view: { left: number; top: number; width: number; height: number };
}

const COUNT = 256;
let palette: string[] = [];

export function draw(canvas: HTMLCanvasElement, drawn: Drawn): void {
  const { tiling, view, order } = drawn;
  const density = window.devicePixelRatio || 1;
  const [width, height] = [Math.round(view.width * density), Math.round(view.height * density)];
  if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
  const context = canvas.getContext("2d");
  if (!context) return;
  if (palette.length === 0) palette = Array.from({ length: COUNT }, (_, index) => css(true, index));
  const theme = getComputedStyle(canvas);
  const tone = (name: string) => theme.getPropertyValue(name);
  context.setTransform(density, 0, 0, density, -view.left * density, -view.top * density);
  context.clearRect(view.left, view.top, view.width, view.height);
  context.font = `11px ${tone("--font")}`;
  context.textBaseline = "middle";
  const most = drawn.weights.fact.norms.reduce((largest, norm) => Math.max(largest, norm), 0) || 1;
  const { places, tiles } = seen(tiling, order.length, view);
  for (let place = places[0]; place < places[1]; place++) {
    const filter = order[place] ?? 0;
    const corner = cornerOf(tiling, place, 0);
    const chosen = filter === drawn.chosen;
    drawWeights(context, drawn, place, filter, tiles);
    const share = (drawn.weights.fact.norms[filter] ?? 0) / most;
    context.fillStyle = tone(chosen ? "--accent" : "--line-strong");
    if (tiling.wraps) context.fillRect(corner.x, corner.y + tiling.tile.height + 3, tiling.tile.width * share, 3);
    // The gutter stays in sight when the channels are scrolled.
    else drawGutter(context, tone, view.left, corner.y, tiling, filter, share, chosen);
    if (chosen) {
      const across = tiling.wraps ? tiling.tile.width : tiling.width - tiling.gutter - 4;
      context.strokeStyle = tone("--accent");
      context.lineWidth = 2;
      context.strokeRect(corner.x - 2, corner.y - 2, across + 4, tiling.tile.height + 4);
    }
  }
}

function drawGutter(
  context: CanvasRenderingContext2D,
  tone: (name: string) => string,
  left: number,
  top: number,
  tiling: Tiling,
  filter: number,
  share: number,
  chosen: boolean,
): void {
  const middle = top + tiling.tile.height / 2;
  context.fillStyle = tone("--panel");
  context.fillRect(left, top - 4, tiling.gutter - 6, tiling.pitch.y);
  context.fillStyle = tone(chosen ? "--ink" : "--ink-2");
  context.textAlign = "right";
  context.fillText(String(filter), left + 34, middle);
  context.fillStyle = tone(chosen ? "--accent" : "--line-strong");
  context.fillRect(left + 40, middle - 3, (tiling.gutter - 50) * share, 6);
}

function drawWeights(
  context: CanvasRenderingContext2D,
  drawn: Drawn,
  place: number,
  filter: number,
  tiles: readonly [number, number],
): void {
  const { tiling, shape } = drawn;
  const values = drawn.weights.filter(filter);
  const area = shape.rows * shape.columns;
  if (!values) {
    context.fillStyle = "rgb(128 128 128 / 0.15)";
    for (let tile = tiles[0]; tile < tiles[1]; tile++) {
      const { x, y } = cornerOf(tiling, place, tile);
      context.fillRect(x, y, tiling.tile.width, tiling.tile.height);
    }
    return;
  }
  const limit = drawn.limit ?? limitOf(values);
  const colours = drawn.colour ? inColour(values, area, limit) : null;
  for (let tile = tiles[0]; tile < tiles[1]; tile++) {
    const { x, y } = cornerOf(tiling, place, tile);
    const found = colours ? null : indexes(values.subarray(tile * area, (tile + 1) * area), { minimum: -limit, maximum: limit, diverging: true });
    for (let n = 0; n < area; n++) {
      context.fillStyle = (colours ? colours[n] : palette[found?.[n] ?? 0]) ?? "";
      context.fillRect(x + (n % shape.columns) * tiling.cell, y + Math.floor(n / shape.columns) * tiling.cell, tiling.cell, tiling.cell);
    }
  }
}

/** The largest finite magnitude. */
export function limitOf(values: Float32Array): number {
  let limit = 0;
  for (const value of values) if (Number.isFinite(value)) limit = Math.max(limit, Math.abs(value));
  return limit;
}

/** Three channels as colours: 128 is 0, 1 and 255 the limits; what isn't finite takes its reserved colour. */
export function inColour(values: Float32Array, area: number, limit: number): string[] {
  const whole = limit > 0 ? limit : 1;
  return Array.from({ length: area }, (_, n) => {
    const parts = [0, 1, 2].map((channel) => values[channel * area + n] ?? 0);
    if (parts.some(Number.isNaN)) return css(true, NOT_A_NUMBER);
    if (parts.includes(Infinity)) return css(true, PLUS_INFINITY);
    if (parts.includes(-Infinity)) return css(true, MINUS_INFINITY);
    const [red, green, blue] = parts.map((part) => Math.round(128 + 127 * Math.min(Math.max(part / whole, -1), 1)));
    return `rgb(${red} ${green} ${blue})`;
  });
}
