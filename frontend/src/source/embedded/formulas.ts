/**
 * Whole layers by their formula, in float64, rounded once: the twin of `convlens.hosts.report.forward`.
 *
 * Comparisons, sums, products, quotients and square roots alone: they give the same bits in NumPy and in every browser.
 */
import type { Activation, Normalisation, Operation, Pointwise, Tensor } from "../../arithmetic/operations";
import { complete, operandsOf } from "../../arithmetic/reading";
import { sizeOf } from "./arrays";
import { concatenated, padded, reshaped, sliced, taken } from "./copying";
import { pooledMaxima } from "./largest";
import { broadcastSteps, eachRow, spreadSteps } from "./strides";

export type Weights = Record<string, Tensor>;
type Binary = (x: number, y: number) => number;
type Constants = Record<string, number>;

/** Every value of a layer; null where it has no formula here. */
export function byFormula(operation: Operation | null, outputs: number[], sources: Tensor[], weights: Weights): Float32Array | null {
  const [source] = sources;
  if (!operation || !source || !complete(operation, weights)) return null;
  const operands = operandsOf(sources, weights);
  const [first, second] = operands?.values ?? [];
  if (operation.type === "Merge") {
    if (operation.function === "concat") return operands && concatenated(operation, outputs, operands.values);
    if (!first || !second || operands?.values.length !== 2) return null;
    return merged(operation.function, operation.factor, outputs, first, second);
  }
  const { origin } = weights;
  if (origin) return taken(source, origin);
  switch (operation.type) {
    case "Activation":
      return activated(operation, source, weights.slope);
    case "Pooling":
      return pooledMaxima(operation, outputs, source);
    case "Normalisation":
      return normalised(operation, source, weights);
    case "Pad":
      return padded(operation, outputs, source);
    case "Slice":
      return sliced(operation, outputs, source);
    case "Reshape":
      return reshaped(operation, outputs, source);
    case "Pointwise":
      if (first && second && !operation.axes.length) return merged(operation.function, 1, outputs, first, second);
      return pointwise(operation, source, weights);
    default:
      return null;
  }
}

const MERGES: Record<string, Binary> = {
  add: (x, y) => x + y,
  subtract: (x, y) => x - y,
  multiply: (x, y) => x * y,
  divide: (x, y) => x / y,
  maximum: (x, y) => (x !== x || x > y ? x : y),
  minimum: (x, y) => (x !== x || x < y ? x : y),
};

function merged(name: string, factor: number, outputs: number[], first: Tensor, second: Tensor): Float32Array | null {
  const merge = MERGES[name];
  const steps = [broadcastSteps(first.shape, outputs), broadcastSteps(second.shape, outputs)];
  const [one, other] = steps;
  if (!merge || !one || !other) return null;
  const into = new Float32Array(sizeOf(outputs));
  const columns = outputs[outputs.length - 1] ?? 1;
  const across = one[one.length - 1] ?? 0;
  const along = other[other.length - 1] ?? 0;
  const together = factor === 1 ? merge : (x: number, y: number) => merge(x, y * factor);
  eachRow(outputs, [one, other], (at, [x, y]) => {
    for (let n = 0; n < columns; n++) {
      into[at + n] = together(first.data[(x as number) + n * across] as number, second.data[(y as number) + n * along] as number);
    }
  });
  return into;
}

/** Functions of one value; PReLU, whose slope differs from place to place, is by itself. */
const FUNCTIONS: Record<string, (constants: Constants) => (x: number) => number> = {
  relu: () => (x) => (x <= 0 ? 0 : x),
  clip: ({ min = NaN, max = NaN }) => (x) => Math.min(Math.max(x, min), max),
  leaky_relu: ({ alpha = NaN }) => (x) => (x > 0 ? x : alpha * x),
  thresholded_relu: ({ alpha = NaN }) => (x) => (x > alpha ? x : 0),
  threshold: ({ threshold = NaN, value = NaN }) => (x) => (x <= threshold ? value : x),
  abs: () => Math.abs,
  neg: () => (x) => -x,
  hard_swish: () => (x) => x * Math.min(Math.max(x / 6 + 0.5, 0), 1),
};

type Function = Pick<Activation, "function" | "constants" | "axis">;

function activated(operation: Function, source: Tensor, slope: Tensor | undefined): Float32Array | null {
  if (operation.axis !== null) return null;
  const data = source.data;
  if (operation.function === "prelu") return slope ? withSlopes(source, slope) : null;
  const made = FUNCTIONS[operation.function];
  if (!made) return null;
  const constants = Object.fromEntries(operation.constants.map(([name, value]) => [name, Number(value)]));
  const compute = made(constants);
  const into = new Float32Array(data.length);
  for (let n = 0; n < into.length; n++) into[n] = compute(data[n] as number);
  return into;
}

function withSlopes(source: Tensor, slope: Tensor): Float32Array | null {
  const steps = spreadSteps(slope.shape, source.shape);
  if (!steps) return null;
  const into = new Float32Array(source.data.length);
  const columns = source.shape[source.shape.length - 1] ?? 1;
  const step = steps[steps.length - 1] ?? 0;
  eachRow(source.shape, [steps], (at, [place]) => {
    for (let n = 0; n < columns; n++) {
      const x = source.data[at + n] as number;
      into[at + n] = x > 0 ? x : (slope.data[(place as number) + n * step] as number) * x;
    }
  });
  return into;
}

/** A weight read for every value of a layer: one number, one a channel, ... */
interface Stretched {
  data: Tensor["data"];
  steps: number[];
}

/** Batch normalisation in inference: (x - mean) / sqrt(variance + epsilon) * scale + shift. */
function normalised(operation: Normalisation, source: Tensor, weights: Weights): Float32Array | null {
  if (operation.mode !== "batch" || operation.axes.length) return null;
  const roles = ["mean", "variance", "scale", "shift"].map((role) => stretched(weights[role], source.shape));
  const [mean, variance, scale, shift] = roles;
  if (!mean || !variance) return null;
  const parts = [mean, variance, scale ?? null, shift ?? null];
  const into = new Float32Array(source.data.length);
  const columns = source.shape[source.shape.length - 1] ?? 1;
  const last = parts.map((part) => part?.steps[part.steps.length - 1] ?? 0) as [number, number, number, number];
  const none = source.shape.map(() => 0);
  eachRow(source.shape, parts.map((part) => part?.steps ?? none), (at, places) => {
    const [m, v, a, b] = places as [number, number, number, number];
    for (let n = 0; n < columns; n++) {
      let total = (source.data[at + n] as number) - (mean.data[m + n * last[0]] as number);
      total /= Math.sqrt((variance.data[v + n * last[1]] as number) + operation.epsilon);
      if (scale) total *= scale.data[a + n * last[2]] as number;
      if (shift) total += shift.data[b + n * last[3]] as number;
      into[at + n] = total;
    }
  });
  return into;
}

function stretched(weight: Tensor | undefined, shape: number[]): Stretched | null {
  const steps = weight ? spreadSteps(weight.shape, shape) : null;
  return weight && steps ? { data: weight.data, steps } : null;
}

function pointwise(operation: Pointwise, source: Tensor, weights: Weights): Float32Array | null {
  if (operation.axes.length) return null;
  const { scale, shift } = weights;
  if (["dropout", "identity"].includes(operation.function)) return source.data as Float32Array;
  if (operation.function === "affine") return affine(source, stretched(scale, source.shape), stretched(shift, source.shape));
  return activated({ function: operation.function, constants: [], axis: null }, source, undefined);
}

function affine(source: Tensor, scale: Stretched | null, shift: Stretched | null): Float32Array | null {
  if (!scale || !shift) return null;
  const into = new Float32Array(source.data.length);
  const columns = source.shape[source.shape.length - 1] ?? 1;
  const across = scale.steps[scale.steps.length - 1] ?? 0;
  const along = shift.steps[shift.steps.length - 1] ?? 0;
  eachRow(source.shape, [scale.steps, shift.steps], (at, [a, b]) => {
    for (let n = 0; n < columns; n++) {
      const scaled = (source.data[at + n] as number) * (scale.data[(a as number) + n * across] as number);
      into[at + n] = scaled + (shift.data[(b as number) + n * along] as number);
    }
  });
  return into;
}
