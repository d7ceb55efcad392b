/** Values that compete along an axis: softmax and log-softmax; the gated linear unit, where one half gates the other. */
import { sigmoid } from "./functions";
import type { Activation, Tensor } from "./operations";
import { general } from "./printing";
import { largestOf, summed } from "./summing";
import { everywhere, gather, numbered, type Places, valueAt } from "./tensor";
import { type Working, working } from "./working";

export const FUNCTIONS = ["softmax", "log_softmax"];
/** Of the exponential, logarithm, difference and quotient, beside those of the sum. */
const ROUNDINGS = 16;

/** One value of a softmax or log-softmax: its exponential's share of all exponentials along the axis. */
export function softmax(operation: Activation, index: number[], source: Tensor): Working {
  const { values, places, place } = alongAxis(operation, index, source);
  const largest = largestOf(values);
  const differences = values.map((value) => value - largest);
  const powers = differences.map(Math.exp);
  const sum = summed(powers);
  const own = powers[place] as number;
  const difference = differences[place] as number;
  const logarithm = operation.function === "log_softmax";
  const total = logarithm ? difference - Math.log(sum) : own / sum;
  // values and differences are rounded before they are exponentiated: their magnitudes, and their mean in the sum
  const sizes = values.map((value, n) => {
    const size = Math.abs(value) + Math.abs(differences[n] as number);
    return Number.isFinite(size) ? size : 0;
  });
  const exponents = (sizes[place] as number) + summed(powers.map((power, n) => power * (sizes[n] as number))) / sum;
  const printed = [general(largest), general(sum)];
  const steps = logarithm
    ? [
        { words: `x - largest (${printed[0]})`, value: difference },
        { words: `- log of the sum of all ${values.length} exponentials (${printed[1]})`, value: total },
      ]
    : [
        { words: `exp(x - largest (${printed[0]}))`, value: own },
        { words: `/ sum of all ${values.length} exponentials (${printed[1]})`, value: total },
      ];
  return working({
    rule: operation.function,
    formula: logarithm ? "x - log(sum of exp)" : "exp(x) / sum of exp",
    window: { shape: [values.length], data: values },
    places,
    steps,
    total,
    activation: operation.function,
    focus: place,
    roundings: values.length + ROUNDINGS,
    magnitude: logarithm ? exponents + Math.log(sum) + 1 : total * (1 + exponents),
  });
}

/** One value of a hardmax: 1 where the first of the largest values along the axis stands, else 0. */
export function hardmax(operation: Activation, index: number[], source: Tensor): Working {
  const { values, places, place } = alongAxis(operation, index, source);
  const largest = largestOf(values);
  const first = values.findIndex((value) => value === largest || (Number.isNaN(value) && Number.isNaN(largest)));
  const total = Number(first === place);
  return working({
    rule: "hardmax",
    formula: "1 where the first of the largest values stands, else 0",
    window: { shape: [values.length], data: values },
    places,
    steps: [{ words: `the largest value, ${general(values[first] as number)}, stands at ${first}`, value: total }],
    total,
    activation: "hardmax",
    unsettled: values.some(Number.isNaN),
  });
}

/** One value of a gated linear unit: a value of the first half x the sigmoid of its partner in the second. */
export function gated(operation: Activation, index: number[], source: Tensor): Working {
  const axis = operation.axis ?? 0;
  const half = Math.floor((source.shape[axis] as number) / 2);
  const partner = index.map((place, n) => (n === axis ? place + half : place));
  const value = valueAt(source, index);
  const gate = valueAt(source, partner);
  const opened = sigmoid(gate);
  const total = value * opened;
  return working({
    rule: "activation",
    formula: "a / (1 + exp(-b))",
    window: { shape: [2], data: Float64Array.of(value, gate) },
    places: index.map((place, n) => ({ shape: [2], data: Int32Array.of(place, partner[n] as number) })),
    steps: [
      { words: "sigmoid of b", value: opened },
      { words: "x a", value: total },
    ],
    total,
    activation: "glu",
    roundings: ROUNDINGS,
    magnitude: Math.abs(value),
  });
}

/** All values that one competes with, along the operation's axis, and its own place among them. */
function alongAxis(
  operation: Activation,
  index: number[],
  source: Tensor,
): { values: Float64Array; places: Places[]; place: number } {
  const axis = operation.axis ?? 0;
  const all = numbered(source.shape[axis] as number);
  const axes = index.map((place, n) => (n === axis ? all : Int32Array.of(place)));
  const places = index.map((place, n) => (n === axis ? { shape: [all.length], data: all } : everywhere(place, 1)));
  return { values: gather(source, axes).data, places, place: index[axis] as number };
}
