/** Several values made one, each position on its own: add, subtract, multiply, divide, maximum, ... */
import { power } from "./functions";
import type { Merge, Tensor } from "./operations";
import { general } from "./printing";
import { CONSTANT, hasConstant, type Operands } from "./reading";
import { finiteSize, times } from "./summing";
import { broadcastIndex, broadcastShapes, NO_AXIS, PADDING, sameShape, valueAt } from "./tensor";
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

const EXACT = ["maximum", "minimum", "where"];
/** Of each operation: a power, the worst of them, is exact to a few units in the last place. */
const ROUNDINGS = 4;

/** Whether this merge of these operands is one that is worked out here. */
export function known(operation: Merge, { values }: Operands, outputs: number[]): boolean {
  const where = operation.function === "where";
  const right = where ? values.length === 3 : values.length > 1;
  return (where || operation.function in REDUCTIONS) && right && fits(values, outputs);
}

/** One value of an element-wise merge; smaller operands are broadcast. */
export function merge(operation: Merge, index: number[], operands: Operands): Working {
  const { function: name, factor } = operation;
  const { values: read, numbers } = operands;
  const places = read.map((value) => broadcastIndex(index, value.shape));
  const values = Float64Array.from(read, (value, n) => valueAt(value, places[n] as number[]));
  const scaled = values.map((value, n) => (n === 0 || factor === 1 ? value : value * factor));
  const total = totalOf(name, scaled);
  const kernel = weightsOf(name, values.length, factor);
  const exact = EXACT.includes(name);
  const constant = hasConstant(operands);
  const magnitude = exact ? 0 : magnitudeOf(name, values, scaled, total);
  const rank = Math.max(0, ...places.map((place, n) => (numbers[n] === CONSTANT ? 0 : place.length)));
  return working({
    rule: name,
    formula: formulaOf(operation, numbers, values),
    window: { shape: [values.length], data: values },
    kernel,
    products: kernel && times(values, kernel),
    inputs: { shape: [values.length], data: Int32Array.from(numbers) },
    places: Array.from({ length: rank }, (_, axis) => ({
      shape: [values.length],
      data: Int32Array.from(places, (place, n) => (numbers[n] === CONSTANT ? PADDING : (place[axis] ?? NO_AXIS))),
    })),
    steps: [{ words: name, value: total }],
    total,
    winners: exact ? winnersOf(name, values, total) : null,
    roundings: exact && !constant ? 0 : ROUNDINGS * values.length,
    magnitude,
    stored: constant ? magnitude : 0, // a framework may round a constant to the layer's own type
    peak: name === "mean" ? magnitude * values.length : magnitude, // a mean is a sum first
  });
}

function totalOf(name: string, scaled: Float64Array): number {
  if (name === "where") return scaled[scaled[0] === 0 ? 2 : 1] as number;
  const reduce = REDUCTIONS[name] as (x: number, y: number) => number;
  const joined = scaled.reduce((made, value) => reduce(made, value));
  return name === "mean" ? joined / scaled.length : joined;
}

/** Which entries decided: the largest, or what a condition points to. */
function winnersOf(name: string, values: Float64Array, total: number): boolean[] {
  if (name === "where") return Array.from(values, (_, n) => n === (values[0] === 0 ? 2 : 1));
  return Array.from(values, (value) => value === total || (Number.isNaN(value) && Number.isNaN(total)));
}

/** The arithmetic in one line: constants as numbers, the only input as `x`, several by their numbers. */
function formulaOf({ function: name, factor }: Merge, numbers: number[], values: Float64Array): string {
  const alone = numbers.filter((number) => number !== CONSTANT).length === 1;
  const names = numbers.map((number, place) => {
    const own = number === CONSTANT ? general(values[place] as number) : alone ? "x" : `input ${number}`;
    return place === 0 || factor === 1 ? own : `${general(factor)} x ${own}`;
  });
  if (name === "where") return `${names[1]} if ${names[0]} else ${names[2]}`;
  const formula = names.join(` ${SIGNS[name] ?? ","} `);
  return name in SIGNS ? formula : `${name}(${formula})`;
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
