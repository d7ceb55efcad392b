/** Sums in float64, in the order in which NumPy adds: pairwise, so that the last digit is Python's as well. */

const BLOCK = 128;

/** The sum of `values` from `first` on, `count` of them. */
export function summed(values: Float64Array, first = 0, count = values.length - first): number {
  if (count < 8) {
    let sum = 0;
    for (let n = first; n < first + count; n++) sum += values[n] as number;
    return sum;
  }
  if (count > BLOCK) {
    const half = Math.floor(count / 2);
    const left = half - (half % 8);
    return summed(values, first, left) + summed(values, first + left, count - left);
  }
  const lanes = values.slice(first, first + 8);
  const end = first + count - (count % 8);
  for (let n = first + 8; n < end; n += 8)
    for (let lane = 0; lane < 8; lane++) lanes[lane] = (lanes[lane] as number) + (values[n + lane] as number);
  const [a, b, c, d, e, f, g, h] = lanes as unknown as [number, number, number, number, number, number, number, number];
  let sum = a + b + (c + d) + (e + f + (g + h));
  for (let n = end; n < first + count; n++) sum += values[n] as number;
  return sum;
}

/** The magnitudes of what is added up, 0 for what isn't finite: it makes no rounding, and overflows nothing. */
export function finiteSizes(values: Float64Array): Float64Array {
  return values.map(finiteSize);
}

export function finiteSize(value: number): number {
  return Number.isFinite(value) ? Math.abs(value) : 0;
}

/** The sum of the magnitudes of what is finite. */
export function summedSizes(values: Float64Array): number {
  return summed(finiteSizes(values));
}

/** Entry by entry. */
export function times(one: Float64Array, other: Float64Array): Float64Array {
  return one.map((value, n) => value * (other[n] as number));
}

/** The largest, NaN where there is one. */
export function largestOf(values: Float64Array): number {
  let largest = -Infinity;
  for (const value of values) largest = Math.max(largest, value);
  return largest;
}

/** The smallest, NaN where there is one. */
export function smallestOf(values: Float64Array): number {
  let smallest = Infinity;
  for (const value of values) smallest = Math.min(smallest, value);
  return smallest;
}
