/**
 * Numbers to pixels: on the graphics card where there is a real one, else on a 2-D canvas; the pixels are the same.
 *
 * `?paint=webgl2` or `?paint=canvas` in the page's address insists, for tests and for cards that misbehave.
 */
import { CanvasPainter } from "./canvas";
import type { Scale } from "./scale";
import { WebglPainter } from "./webgl";

/** Maps drawn one under another, one pixel a value. */
export type Sheet = OffscreenCanvas;

export interface Painter {
  readonly kind: "webgl2" | "canvas";
  /** The most pixels that a sheet may have each way. */
  readonly most: number;
  /** `values` are as many maps of rows x columns as there are scales, one after another. */
  paint(values: Float32Array, rows: number, columns: number, scales: readonly Scale[]): Sheet;
}

let shared: Painter | null = null;
const listeners = new Set<() => void>();

/** The page's one painter. */
export function painter(): Painter {
  shared ??= choose(new URLSearchParams(typeof location === "undefined" ? "" : location.search).get("paint"));
  return shared;
}

/** Calls back when what was painted is lost, as when a graphics card is reset. Returns how to stop. */
export function onRepaint(lost: () => void): () => void {
  listeners.add(lost);
  return () => listeners.delete(lost);
}

function choose(wish: string | null): Painter {
  if (wish === "canvas") return new CanvasPainter();
  const painter = WebglPainter.open(wish === "webgl2", () => {
    // The canvas takes over at once and for good: a card that was reset once is better left alone.
    shared = new CanvasPainter();
    for (const lost of listeners) lost();
  });
  return painter ?? new CanvasPainter();
}
