/** The digit network that convlens ships: its line, its weights before and after training, and a digit to try them on. `script/page-digits` writes the numbers. */
import { product } from "./geometry";
import shipped from "./digits.json";
import type { Sheet } from "./orders";
import type { Given, Weights } from "./weights";

export const SKETCH = shipped.sketch;
export const SEED = shipped.seed;
/** Steps of its training by name; before the first step, weights are drawn from the seed. */
export const UNTRAINED = "digits-0";
export const TRAINED = `digits-${shipped.step}`;
export const STEP = shipped.step;
/** The share of held-out digits that the trained network tells right. */
export const ACCURACY = shipped.accuracy;
export const DIGIT = shipped.digit;
const SIDE = 28;

export function isStep(name: string | null): name is string {
  return name === UNTRAINED || name === TRAINED;
}

let trained: Given | null = null;

/** The weights that a step gives; null where they are drawn. */
export function given(step: string | undefined): Given | null {
  if (step !== TRAINED) return null;
  trained ??= { name: TRAINED, weights: unpacked() };
  return trained;
}

function unpacked(): Weights[] {
  const numbers = new DataView(bytes(shipped.weights).buffer);
  let at = 0;
  const tensors = shipped.shapes.map((shape) => ({ shape, data: Float32Array.from({ length: product(shape) }, () => numbers.getFloat32(4 * at++, true)) }));
  return tensors.flatMap((kernel, n) => (n % 2 ? [] : [{ kernel, bias: tensors[n + 1] ?? null }]));
}

/** One of the digits that the training never saw: grey, from 0 to 1, as the network reads them. */
export function digit(): Sheet {
  return { shape: [1, SIDE, SIDE], data: Float32Array.from(bytes(shipped.pixels), (value) => value / 255) };
}

/** The middle of a picture as the digit network reads it: grey, 28 × 28, from 0 to 1. */
export function asDigit({ shape, data }: Sheet): Sheet {
  const [, rows = 1, columns = 1] = shape;
  const side = Math.min(rows, columns);
  const [top, left] = [Math.floor((rows - side) / 2), Math.floor((columns - side) / 2)];
  const from = (n: number) => Math.floor((n * side) / SIDE);
  const to = (n: number) => Math.max(from(n) + 1, from(n + 1));
  const found = new Float32Array(SIDE * SIDE);
  for (let n = 0; n < found.length; n++) {
    const [row, column] = [Math.floor(n / SIDE), n % SIDE];
    let sum = 0;
    for (let y = from(row); y < to(row); y++) {
      for (let x = from(column); x < to(column); x++) {
        GREY.forEach((share, channel) => (sum += share * (data[(channel * rows + top + y) * columns + left + x] as number)));
      }
    }
    found[n] = sum / (255 * (to(row) - from(row)) * (to(column) - from(column)));
  }
  return { shape: [1, SIDE, SIDE], data: found };
}

const GREY = [0.299, 0.587, 0.114]; // ITU-R BT.601

function bytes(text: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
}
