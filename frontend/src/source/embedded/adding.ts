/**
 * The innermost loops of a convolution: terms (numbers times a weight) added to accumulators, rounded to float32 as told.
 *
 * `sums[n] += x[at + n] * k` for `count` places n at once, which keeps a processor busy; several terms go in one pass, in
 * order, so that an accumulator is read and written once. What is stored in a Float32Array is rounded by that alone.
 */

/** The terms of one output value: where in `x` each reads for the first of the places, and what it is multiplied by. */
export interface Terms {
  x: Float32Array;
  places: Int32Array;
  weights: Float64Array;
}

/** acc = f32(acc + x * k) for terms `from` to `to`: one rounding a term. */
export function addFused(sums: Float32Array, count: number, { x, places, weights }: Terms, from: number, to: number, shift: number): void {
  const f = Math.fround;
  let n = from;
  for (; n + 4 <= to; n += 4) {
    const a = (places[n] as number) + shift;
    const b = (places[n + 1] as number) + shift;
    const c = (places[n + 2] as number) + shift;
    const d = (places[n + 3] as number) + shift;
    const ka = weights[n] as number;
    const kb = weights[n + 1] as number;
    const kc = weights[n + 2] as number;
    const kd = weights[n + 3] as number;
    for (let i = 0; i < count; i++) {
      const first = f((sums[i] as number) + (x[a + i] as number) * ka);
      const second = f(first + (x[b + i] as number) * kb);
      const third = f(second + (x[c + i] as number) * kc);
      sums[i] = third + (x[d + i] as number) * kd;
    }
  }
  for (; n < to; n++) {
    const a = (places[n] as number) + shift;
    const ka = weights[n] as number;
    for (let i = 0; i < count; i++) sums[i] = (sums[i] as number) + (x[a + i] as number) * ka;
  }
}

/** Products are rounded, and so is every sum: a group of `size` terms by itself, then added to the accumulator. */
export function addGroup(sums: Float32Array, count: number, { x, places, weights }: Terms, from: number, size: number, shift: number): void {
  const f = Math.fround;
  const a = (places[from] as number) + shift;
  const ka = f(weights[from] as number);
  if (size === 1) {
    for (let i = 0; i < count; i++) sums[i] = (sums[i] as number) + f((x[a + i] as number) * ka);
    return;
  }
  const b = (places[from + 1] as number) + shift;
  const kb = f(weights[from + 1] as number);
  if (size === 2) {
    for (let i = 0; i < count; i++) sums[i] = (sums[i] as number) + f(f((x[a + i] as number) * ka) + f((x[b + i] as number) * kb));
    return;
  }
  if (size === 4) {
    const c = (places[from + 2] as number) + shift;
    const kc = f(weights[from + 2] as number);
    const d = (places[from + 3] as number) + shift;
    const kd = f(weights[from + 3] as number);
    for (let i = 0; i < count; i++) {
      const two = f(f((x[a + i] as number) * ka) + f((x[b + i] as number) * kb));
      const three = f(two + f((x[c + i] as number) * kc));
      sums[i] = (sums[i] as number) + f(three + f((x[d + i] as number) * kd));
    }
    return;
  }
  for (let i = 0; i < count; i++) {
    let part = f(f((x[a + i] as number) * ka) + f((x[b + i] as number) * kb));
    for (let n = from + 2; n < from + size; n++) {
      part = f(part + f((x[(places[n] as number) + shift + i] as number) * f(weights[n] as number)));
    }
    sums[i] = (sums[i] as number) + part;
  }
}

/** In float64, unrounded. */
export function addDouble(sums: Float64Array, count: number, { x, places, weights }: Terms, from: number, to: number, shift: number): void {
  let n = from;
  for (; n + 4 <= to; n += 4) {
    const a = (places[n] as number) + shift;
    const b = (places[n + 1] as number) + shift;
    const c = (places[n + 2] as number) + shift;
    const d = (places[n + 3] as number) + shift;
    const ka = weights[n] as number;
    const kb = weights[n + 1] as number;
    const kc = weights[n + 2] as number;
    const kd = weights[n + 3] as number;
    for (let i = 0; i < count; i++) {
      const two = (sums[i] as number) + (x[a + i] as number) * ka + (x[b + i] as number) * kb;
      sums[i] = two + (x[c + i] as number) * kc + (x[d + i] as number) * kd;
    }
  }
  for (; n < to; n++) {
    const a = (places[n] as number) + shift;
    const ka = weights[n] as number;
    for (let i = 0; i < count; i++) sums[i] = (sums[i] as number) + (x[a + i] as number) * ka;
  }
}
