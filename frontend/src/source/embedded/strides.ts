/** Steps through arrays of several axes, a row at a time: what broadcasting, transposing and copying have in common. */
import { sizeOf } from "./arrays";

/** How far apart neighbours along each axis lie. */
export function stridesOf(shape: readonly number[]): number[] {
  const strides = new Array<number>(shape.length).fill(1);
  for (let axis = shape.length - 2; axis >= 0; axis--) strides[axis] = (strides[axis + 1] as number) * (shape[axis + 1] as number);
  return strides;
}

/** Steps by which an array of `from` is read where NumPy broadcasts it to `to`; null where it doesn't fit. */
export function broadcastSteps(from: readonly number[], to: readonly number[]): number[] | null {
  if (from.length > to.length) return null;
  const own = stridesOf(from);
  const front = to.length - from.length;
  const steps = new Array<number>(to.length).fill(0);
  for (let axis = 0; axis < from.length; axis++) {
    if (from[axis] === 1) continue;
    if (from[axis] !== to[front + axis]) return null;
    steps[front + axis] = own[axis] as number;
  }
  return steps;
}

/** A weight stretched to a layer's shape: one number, or aligned with its first axes, or with its last. */
export function spreadSteps(weight: readonly number[], shape: readonly number[]): number[] | null {
  if (sizeOf(weight) === 1) return shape.map(() => 0);
  if (weight.length <= shape.length && weight.every((size, axis) => size === shape[axis])) {
    return [...stridesOf(weight), ...new Array<number>(shape.length - weight.length).fill(0)];
  }
  return broadcastSteps(weight, shape);
}

/** Calls `row` for every row of an array of `shape`: where it begins, and where each of the arrays read by `steps` then is. */
export function eachRow(shape: readonly number[], steps: readonly number[][], row: (at: number, places: number[]) => void): void {
  const columns = shape[shape.length - 1] ?? 1;
  const rows = columns ? sizeOf(shape) / columns : 0;
  const index = new Array<number>(Math.max(0, shape.length - 1)).fill(0);
  const places = steps.map(() => 0);
  for (let n = 0; n < rows; n++) {
    row(n * columns, places);
    for (let axis = index.length - 1; axis >= 0; axis--) {
      const next = ((index[axis] as number) += 1);
      const over = next === shape[axis];
      const moved = over ? 1 - next : 1;
      steps.forEach((step, k) => (places[k] = (places[k] as number) + moved * (step[axis] as number)));
      if (!over) break;
      index[axis] = 0;
    }
  }
}

/** Copies `source` into an array of `shape`, read by `steps` from `first` on. */
export function copiedBy(source: Float32Array, shape: readonly number[], steps: number[], first = 0): Float32Array {
  const into = new Float32Array(sizeOf(shape));
  const columns = shape[shape.length - 1] ?? 1;
  const step = steps[steps.length - 1] ?? 1;
  eachRow(shape, [steps], (at, [place]) => {
    const from = first + (place as number);
    if (step === 1) into.set(source.subarray(from, from + columns), at);
    else for (let n = 0; n < columns; n++) into[at + n] = source[from + n * step] as number;
  });
  return into;
}
