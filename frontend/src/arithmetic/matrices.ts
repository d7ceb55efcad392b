/** Products of matrices: a row of the first x a column of the second, as NumPy's `@` pairs them up. */
import { productsOf } from "./convolving";
import type { Tensor } from "./operations";
import { CONSTANT, operandsOf, type Weights } from "./reading";
import { broadcastIndex, broadcastShapes, everywhere, numbered, sameShape, stridesOf, valueAt } from "./tensor";
import { type Working, working } from "./working";

/** The second turns its first operand over: column of the first x column of the second. */
export const FUNCTIONS = ["matrix_product", "matrix_product_across"];

/** An axis that is read along its whole length. */
const ALONG = -1;

/** One value; `null` where the shapes don't fit. */
export function product(
  name: string,
  index: number[],
  outputs: number[],
  sources: Tensor[],
  weights: Weights,
): Working | null {
  const across = name === "matrix_product_across";
  const operands = operandsOf(sources, weights);
  const [left, right] = operands?.values ?? [];
  if (!left || !right || operands?.values.length !== 2 || operands.numbers.every((number) => number === CONSTANT))
    return null;
  if (across && left.shape.length !== 2) return null;
  const leftShape = across ? [...left.shape].reverse() : left.shape;
  if (!fit(leftShape, right.shape, outputs)) return null;
  const flat = leftShape.length === 1;
  const sideways = right.shape.length === 1;
  let place = sideways ? [...index, 0] : index;
  if (flat) place = [...place.slice(0, -1), 0, place.at(-1) as number];
  const lead = (shape: number[]) => leading(place, shape);
  const row = [...lead(leftShape), ...(flat ? [] : [place.at(-2) as number]), ALONG];
  const ofFirst = across ? [ALONG, row[0] as number] : row;
  const ofSecond = sideways ? [ALONG] : [...lead(right.shape), ALONG, place.at(-1) as number];
  const first = line(left, ofFirst);
  const second = line(right, ofSecond);
  const added = weights.added ? valueAt(weights.added, broadcastIndex(index, weights.added.shape)) : null;
  const secondMoves = operands.numbers[0] === CONSTANT;
  const [values, kernel] = secondMoves ? [second, first] : [first, second];
  const made = productsOf(values, kernel, added, "sum of row x column");
  const all = numbered(values.length);
  return working({
    rule: "matrix product",
    formula: `${across ? "column" : "row"} of the first x column of the second, added up`,
    window: { shape: [values.length], data: values },
    places: (secondMoves ? ofSecond : ofFirst).map((at) =>
      at === ALONG ? { shape: [all.length], data: all } : everywhere(at, 1),
    ),
    ...made,
    roundings: made.roundings + (added === null ? 0 : 2),
  });
}

function fit(left: number[], right: number[], outputs: number[]): boolean {
  if (left.length === 0 || right.length === 0) return false;
  const inner = right.length === 1 ? right[0] : right.at(-2);
  const stacked = broadcastShapes([left.slice(0, -2), right.slice(0, -2)]);
  if (!stacked) return false;
  const made = [...stacked, ...left.slice(0, -1).slice(-1), ...(right.length > 1 ? right.slice(-1) : [])];
  return left.at(-1) === inner && sameShape(made, outputs);
}

/** Where broadcasting reads the axes before the last two. */
function leading(place: number[], shape: number[]): number[] {
  if (shape.length < 3) return [];
  const stacked = place.slice(0, -2).slice(place.length - shape.length);
  return shape.slice(0, -2).map((size, axis) => (size > 1 ? (stacked[axis] as number) : 0));
}

/** The values along the axis that is read as a whole. */
function line(tensor: Tensor, place: number[]): Float64Array {
  const strides = stridesOf(tensor.shape);
  const axis = place.indexOf(ALONG);
  const start = place.reduce((sum, at, n) => sum + (n === axis ? 0 : at * (strides[n] as number)), 0);
  const step = strides[axis] as number;
  return Float64Array.from(
    { length: tensor.shape[axis] as number },
    (_, n) => tensor.data[start + n * step] as number,
  );
}
