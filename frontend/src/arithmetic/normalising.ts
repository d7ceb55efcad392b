/** Normalisations, as they run in inference: mean, variance, scale, shift. */
import type { Normalisation, Tensor } from "./operations";
import { general, grouped } from "./printing";
import type { Weights } from "./reading";
import { LARGEST } from "./rounding";
import { finiteSizes, summed } from "./summing";
import { broadcastIndex, flatIndex, gather, meshOf, numbered, sameShape, valueAt } from "./tensor";
import { single, type Step, type Working, working } from "./working";

const FROM_THE_VALUE = ["layer", "group", "instance", "rms", "unit", "batch"];
const UNCENTRED = ["rms", "unit"];

/** Mean and variance of some values; `size`: the mean magnitude, `squares`: the sum of the squares of all of them. */
interface Statistics {
  mean: number;
  variance: number;
  size: number;
  roundings: number;
  squares: number;
}

/** One value of a normalisation; `null` for a mode whose formula isn't known here. */
export function normalisation(
  operation: Normalisation,
  index: number[],
  source: Tensor,
  weights: Weights,
): Working | null {
  const value = valueAt(source, index);
  const role = (name: string) => (weights[name] ? roleAt(operation, weights[name], index, source.shape) : null);
  const [scale, shift, mean, variance] = [role("scale"), role("shift"), role("mean"), role("variance")];
  const formula = formulaOf(operation, scale, shift);
  if (operation.axes.length === 0) {
    if ((operation.mode !== "batch" && operation.mode !== "instance") || mean === null || variance === null) return null;
    const found = { mean, variance, size: Math.abs(mean), roundings: 8, squares: 0 };
    return single("normalisation", formula, value, 0, index, said(value, found, operation, scale, shift));
  }
  if (!FROM_THE_VALUE.includes(operation.mode)) return null;
  const axes = groupOf(operation, index, source.shape);
  const window = gather(source, axes);
  const found = measured(operation, window.data);
  const worked = said(value, found, operation, scale, shift);
  return working({
    rule: "normalisation",
    formula: `${formula}, over ${grouped(window.data.length)} values`,
    window,
    places: meshOf(axes),
    focus: flatIndex(
      index.map((place, axis) => place - ((axes[axis] as Int32Array)[0] as number)),
      window.shape,
    ),
    ...worked,
    stored: worked.magnitude, // the statistics, which may be kept in the layer's own type
    unsettled: found.squares * 2 >= LARGEST, // divided by an infinity they become 0, or NaN
  });
}

type Told = Pick<Working, "steps" | "total" | "bias" | "roundings" | "magnitude">;

function said(
  value: number,
  found: Statistics,
  operation: Normalisation,
  scale: number | null,
  shift: number | null,
): Told {
  const steps = stepsOf(value, found, operation, scale, shift);
  return {
    steps,
    total: (steps.at(-1) as Step).value,
    bias: shift,
    roundings: found.roundings,
    magnitude: magnitudeOf(value, found, operation, scale, shift),
  };
}

/** The statistics of a group of values. */
function measured(operation: Normalisation, group: Float64Array): Statistics {
  const count = group.length;
  const mean = UNCENTRED.includes(operation.mode) ? 0 : summed(group) / count;
  const squares = group.map((value) => (value - mean) ** 2);
  let variance = summed(squares) / count;
  if (operation.mode === "unit") variance = Math.max(variance * count, operation.epsilon ** 2);
  const sizes = finiteSizes(group);
  const ofAll = summed(sizes.map((size) => size ** 2));
  return { mean, variance, size: summed(group.map(Math.abs)) / count, roundings: 2 * count + 8, squares: ofAll };
}

/** What is added to the variance: a unit norm is held above epsilon instead. */
function addedTo(operation: Normalisation): number {
  return operation.mode === "unit" ? 0 : operation.epsilon;
}

/** The positions along each axis whose statistics the value at `index` is normalised with. */
function groupOf(operation: Normalisation, index: number[], shape: number[]): Int32Array[] {
  return shape.map((size, axis) => {
    if (axis === 0 && operation.mode === "group") {
      const perGroup = Math.floor(size / operation.groups);
      return numbered(perGroup, Math.floor((index[0] as number) / perGroup) * perGroup);
    }
    return operation.axes.includes(axis) ? numbered(size) : Int32Array.of(index[axis] as number);
  });
}

/** A weight at a value: one number, one a channel, or, of layer normalisation, one a value of the normalised axes. */
function roleAt(operation: Normalisation, weight: Tensor, index: number[], shape: number[]): number {
  if (operation.mode === "layer" || operation.mode === "rms") {
    const axes = [...operation.axes].sort((one, other) => one - other);
    const own = axes.map((axis) => shape[axis] as number);
    if (axes.length > 0 && sameShape(weight.shape, own))
      return valueAt(
        weight,
        axes.map((axis) => index[axis] as number),
      );
  }
  return spreadAt(weight, shape, index);
}

/** A weight at `index` of a layer of `shape`: one number, or aligned with its first axes, or with its last. */
export function spreadAt(weight: Tensor, shape: number[], index: number[]): number {
  if (weight.data.length === 1) return weight.data[0] as number;
  const rank = weight.shape.length;
  if (sameShape(weight.shape, shape.slice(0, rank))) return valueAt(weight, index.slice(0, rank));
  return valueAt(weight, broadcastIndex(index, weight.shape));
}

function stepsOf(
  value: number,
  found: Statistics,
  operation: Normalisation,
  scale: number | null,
  shift: number | null,
): Step[] {
  let total = value - found.mean;
  const steps: Step[] = [];
  if (!UNCENTRED.includes(operation.mode)) steps.push({ words: `x - mean (${general(found.mean)})`, value: total });
  total /= Math.sqrt(found.variance + addedTo(operation));
  const what = { rms: "mean of squares", unit: "sum of squares" }[operation.mode] ?? "variance";
  const added = operation.mode === "unit" ? "" : ` + ${general(operation.epsilon)}`;
  steps.push({ words: `/ sqrt(${what} (${general(found.variance)})${added})`, value: total });
  if (scale !== null) steps.push({ words: `x scale (${general(scale)})`, value: (total *= scale) });
  if (shift !== null) steps.push({ words: `+ shift (${general(shift)})`, value: (total += shift) });
  return steps;
}

/** What the roundings are relative to: see Python's `_magnitude`. */
function magnitudeOf(
  value: number,
  found: Statistics,
  operation: Normalisation,
  scale: number | null,
  shift: number | null,
): number {
  const variance = found.variance + addedTo(operation);
  const factor = Math.abs(scale ?? 1) / Math.sqrt(variance);
  const cancelled = operation.axes.length > 0 ? (found.variance + found.mean ** 2) / variance : 1;
  const centred = Math.abs(value - found.mean) * cancelled;
  return (Math.abs(value) + found.size + centred) * factor + Math.abs(shift ?? 0);
}

function formulaOf(operation: Normalisation, scale: number | null, shift: number | null): string {
  const text =
    { rms: "x / sqrt(mean of squares + epsilon)", unit: "x / sqrt(sum of squares)" }[operation.mode] ??
    "(x - mean) / sqrt(variance + epsilon)";
  return `${text}${scale === null ? "" : " * scale"}${shift === null ? "" : " + shift"}`;
}
