/** How far a framework's value may lie from the exact one: what rounding can do to it, and no more. */

/** A floating type: the relative error of one rounding, the absolute one of tiny results, the largest finite number. */
interface Precision {
  unit: number;
  tiny: number;
  largest: number;
}

const SINGLE: Precision = { unit: 2 ** -24, tiny: 2 ** -126, largest: 2 ** 127 * (2 - 2 ** -23) };

const PRECISIONS: Record<string, Precision> = {
  float32: SINGLE,
  float64: SINGLE, // values and weights are float32 when they arrive
  float16: { unit: 2 ** -11, tiny: 2 ** -24, largest: 65504 },
  bfloat16: { unit: 2 ** -8, tiny: 2 ** -126, largest: 2 ** 127 * (2 - 2 ** -7) },
  tf32: { unit: 2 ** -11, tiny: 2 ** -126, largest: SINGLE.largest },
};

/** A layer in float64 adds no rounding that shows in float32; its inputs, weights and result were rounded on the way. */
const AT_THE_BORDER = 8;

/** Of float32, in which what is stored in a coarser type is mostly worked out too. */
export const LARGEST = SINGLE.largest;
/** The least number of float32 that has all its digits. */
export const SMALLEST = SINGLE.tiny;

export interface Rounded {
  roundings: number;
  magnitude: number;
  total: number;
  stored: number;
}

/** The most by which a framework's value can differ from `total`, in whatever order it adds: see Python's `bound`. */
export function bound({ roundings, magnitude, total, stored }: Rounded, dtype: string, sumsIn: string | null): number {
  if (!Number.isFinite(total) || roundings <= 0) return 0;
  const own = PRECISIONS[dtype] ?? SINGLE;
  const inner = PRECISIONS[sumsIn ?? dtype] ?? SINGLE;
  const count = dtype === "float64" ? Math.min(roundings, AT_THE_BORDER) : roundings;
  const size = Math.abs(total);
  let error = count * (inner.unit * (Number.isFinite(magnitude) ? magnitude : size) + inner.tiny);
  error += own.unit * size;
  if (inner !== own) error += own.unit * (Number.isFinite(stored) ? stored : 0) + own.tiny;
  return error;
}

/** Whether the layer's type may be too small for the value, or for a sum on the way: then it makes an infinity. */
export function canOverflow(magnitude: number, total: number, dtype: string, sumsIn: string | null): boolean {
  const own = PRECISIONS[dtype] ?? SINGLE;
  const inner = PRECISIONS[sumsIn ?? dtype] ?? SINGLE;
  const finite = Number.isFinite(total);
  if (finite && Math.abs(total) * (1 + 2 * own.unit) >= own.largest) return true;
  return (finite || Number.isFinite(magnitude)) && magnitude * 2 >= inner.largest;
}

/** Whether a framework's value and ours are the same but for rounding; two NaN are, and the same infinity. */
export function agreement(theirs: number, total: number, tolerance: number, overflows: boolean): boolean {
  if (theirs === total || (Number.isNaN(theirs) && Number.isNaN(total))) return true;
  if (Math.abs(theirs - total) <= tolerance) return true;
  return !Number.isFinite(theirs) && !Number.isNaN(total) && overflows;
}

/** The nearest whole number, halves to the even one. */
export function toEven(value: number): number {
  const below = Math.floor(value);
  const rest = value - below;
  if (rest < 0.5) return below;
  if (rest > 0.5) return below + 1;
  if (!Number.isFinite(value)) return value;
  return below % 2 === 0 ? below : below + 1;
}
