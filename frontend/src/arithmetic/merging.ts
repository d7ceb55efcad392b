/** Several values made one, each position on its own: add, subtract, multiply, divide, maximum, ... */
import { power } from "./functions";
import type { Merge, Tensor } from "./operations";
import { general } from "./printing";
import { finiteSize, times } from "./summing";
import { broadcastIndex, broadcastShapes, everywhere, NO_AXIS, PADDING, sameShape, spreadPlaces, valueAt } from "./tensor";
import { type Working, working } from "./working";

const SIGNS: Record<string, string> = { add: "+", subtract: "-", multiply: "*", divide: "/", power: "^" };

const REDUCTIONS: Record<string, (x: number, y: number) => number> = {
  add: (x, y) => x + y,
  mean: (x, y) => x + y,
  subtract: (x, y) => x - y,
  multiply: (x, y) => x * y,
  divide: (x, y) => x / y,
  divide_whole: (x, y) => Math.trunc(x / y),
  maximum: Math.max,
  minimum: Math.min,
  power,
};

const EXACT = ["maximum", "minimum"];
/** Of each operation: a power, the worst of them, is exact to a few units in the last place. */
const ROUNDINGS = 4;

/** One value of an element-wise merge; smaller inputs are broadcast. `null` for a function not known here. */
export function merge(operation: Merge, index: number[], sources: Tensor[]): Working | null {
  const { function: name, factor } = operation;
  const reduce = REDUCTIONS[name];
  if (!reduce) return null;
  const places = sources.map((source) => broadcastIndex(index, source.shape));
  const values = Float64Array.from(sources, (source, n) => valueAt(source, places[n] as number[]));
  const scaled = values.map((value, n) => (n === 0 || factor === 1 ? value : value * factor));
  const joined = scaled.reduce((made, value) => reduce(made, value));
  const total = name === "mean" ? joined / values.length : joined;
  const kernel = weightsOf(name, values.length, factor);
  const names = Array.from(values, (_, n) =>
    n === 0 || factor === 1 ? `input ${n}` : `${general(factor)} x input ${n}`,
  );
  const formula = names.join(` ${SIGNS[name] ?? ","} `);
  const exact = EXACT.includes(name);
  const won = Array.from(values, (value) => value === total || (Number.isNaN(value) && Number.isNaN(total)));
  const rank = Math.max(0, ...places.map((place) => place.length));
  const magnitude = exact ? 0 : magnitudeOf(name, values, scaled, total);
  return working({
    rule: name,
    formula: name in SIGNS ? formula : `${name}(${formula})`,
    window: { shape: [values.length], data: values },
    kernel,
    products: kernel && times(values, kernel),
    inputs: { shape: [values.length], data: Int32Array.from(values.keys()) },
    places: Array.from({ length: rank }, (_, axis) => ({
      shape: [values.length],
      data: Int32Array.from(places, (place) => place[axis] ?? NO_AXIS),
    })),
    steps: [{ words: name, value: total }],
    total,
    winners: exact ? won : null,
    roundings: exact ? 0 : ROUNDINGS * values.length,
    magnitude,
    peak: name === "mean" ? magnitude * values.length : magnitude, // a mean is a sum first
  });
}

function weightsOf(name: string, count: number, factor: number): Float64Array | null {
  const weights = new Float64Array(count);
  if (name === "mean") return weights.fill(1 / count);
  if (name !== "add" && name !== "subtract") return null;
  weights.fill(name === "add" ? factor : -factor);
  weights[0] = 1;
  return weights;
}

/** What the roundings of a merge are relative to. */
function magnitudeOf(name: string, values: Float64Array, scaled: Float64Array, total: number): number {
  if (name === "add" || name === "subtract" || name === "mean") {
    const added = scaled.reduce((sum, value) => sum + finiteSize(value), 0);
    return name === "mean" ? added / values.length : added;
  }
  if (name !== "power") return Math.abs(total);
  // a rounding of the exponent counts as often as the logarithm of the base is large
  const [base, exponent] = values as unknown as [number, number];
  const often = Math.abs(exponent) * (1 + Math.abs(Math.log(Math.abs(base))));
  return Math.abs(total) * (1 + (Number.isFinite(often) ? often : 0));
}

/** Whether the inputs broadcast to the layer's shape. */
export function fits(sources: Tensor[], shape: number[]): boolean {
  const common = broadcastShapes(sources.map((source) => source.shape));
  return common !== null && sameShape(common, shape);
}

/** The working of a merge of the input with a constant: the constant is no input that could be walked back to. */
export function withConstant(worked: Working, left: boolean): Working {
  const constant = left ? 0 : 1;
  const number = general(worked.window.data[constant] as number);
  const [first, second] = left ? [number, "x"] : ["x", number];
  return {
    ...worked,
    formula: worked.formula.replaceAll("input 0", first).replaceAll("input 1", second),
    inputs: everywhere(0, 1),
    places: worked.places.map((axis) => ({
      shape: [2],
      data: spreadPlaces(axis, [2]).map((place, n) => (n === constant ? PADDING : place)),
    })),
    roundings: 2 * ROUNDINGS,
    stored: worked.magnitude, // a framework may round the constant to the layer's own type
  };
}
