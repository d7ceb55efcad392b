/** Activations: a function of each value alone. */
import { computed, EXACT, FUNCTIONS, inWords, magnitudeOf } from "./functions";
import { copied } from "./moving";
import { spreadAt } from "./normalising";
import type { Activation, Pointwise, Tensor } from "./operations";
import { general } from "./printing";
import { limitsOf } from "./quantised";
import type { Weights } from "./reading";
import { valueAt } from "./tensor";
import { single, type Working } from "./working";

const UNCHANGED = ["dropout", "identity"];
/** Of an activation: at most eight operations, and functions approximated to a few units in the last place. */
const ROUNDINGS = 16;

/** One value of an activation; `null` for a function not known here. */
export function activation(
  operation: Activation,
  index: number[],
  source: Tensor,
  weights: Weights,
  dtype: string,
): Working | null {
  const slope = weights.slope ? spreadAt(weights.slope, source.shape, index) : null;
  const value = valueAt(source, index);
  const total = computed(operation, value, slope);
  if (total === null) return null;
  const formula = inWords(operation, slope);
  const astray = astrayOf(operation, value, total, slope, dtype);
  return single("activation", formula, value, total, index, {
    steps: [{ words: formula, value: total }],
    activation: operation.function,
    roundings: EXACT.includes(operation.function) ? 0 : ROUNDINGS,
    magnitude: magnitudeOf(operation, value, total),
    astray,
    unsettled: astray === Infinity || (operation.function === "signum" && Number.isNaN(value)),
  });
}

/** Functions that go no farther than what they are given, and jump nowhere but at 0. */
const EVEN = ["relu", "abs", "neg", "sign", "signum"];

/** How far the function goes between a float32 and the float64 that it stands for: without bound at a pole. */
function astrayOf(operation: Activation, value: number, total: number, slope: number | null, dtype: string): number {
  if (dtype !== "float64" || EVEN.includes(operation.function) || !Number.isFinite(total)) return 0;
  const reach = value === 0 ? 0 : Math.abs(value) * 2 ** -24 + 2 ** -150;
  const away = [value - reach, value + reach].map((x) => Math.abs((computed(operation, x, slope) ?? total) - total));
  return away.reduce((most, one) => (one > most ? one : most), 0);
}

/** One value of an operation on each position alone: nothing happens, or a function. */
export function pointwise(
  operation: Pointwise,
  index: number[],
  source: Tensor,
  weights: Weights,
  dtype: string,
): Working | null {
  if (UNCHANGED.includes(operation.function)) return copied(index, source, "unchanged");
  if (operation.function === "cast") {
    const value = valueAt(source, index);
    const unsettled = outOfRange(value, dtype);
    return single("cast", `the same as ${dtype}`, value, cast(value, dtype), index, { unsettled });
  }
  if (operation.function === "affine" && weights.scale && weights.shift)
    return affine(index, source, weights.scale, weights.shift);
  if (!(operation.function in FUNCTIONS)) return null;
  return activation({ type: "Activation", function: operation.function, constants: [], axis: null }, index, source, {}, dtype);
}

/** One value times a constant plus a constant. */
function affine(index: number[], source: Tensor, scales: Tensor, shifts: Tensor): Working {
  const value = valueAt(source, index);
  const scale = spreadAt(scales, source.shape, index);
  const shift = spreadAt(shifts, source.shape, index);
  const scaled = value * scale;
  const total = scaled + shift;
  const size = Math.abs(scaled) + Math.abs(shift);
  const steps = [
    { words: `x times ${general(scale)}`, value: scaled },
    { words: `+ ${general(shift)}`, value: total },
  ];
  const words = `x * ${general(scale)} + ${general(shift)}`;
  return single("affine", words, value, total, index, { steps, roundings: 4, magnitude: size, stored: size });
}

/** Whether a type of whole numbers can't hold the number: it becomes whatever the processor makes of it. */
function outOfRange(value: number, dtype: string): boolean {
  const held = limitsOf(dtype);
  return held !== null && !(Math.trunc(value) >= held[0] && value < held[1] + 1);
}

/** What a value becomes in another type; to a floating one it is rounded, which the tolerance covers. */
function cast(value: number, dtype: string): number {
  if (dtype === "bool") return value === 0 ? 0 : 1;
  return dtype.startsWith("int") || dtype.startsWith("uint") ? Math.trunc(value) : value;
}
