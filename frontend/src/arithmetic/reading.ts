/** What of a layer's inputs and weights its arithmetic reads. */
import type { Operation, Tensor } from "./operations";

const OF_ONE = ["Convolution", "Dense", "Normalisation", "Pooling", "Pad", "Slice", "Reshape", "Resize"];

/** A layer's weights, by role. */
export type Weights = Record<string, Tensor>;

/** Stands for the number of an input where an operand is a constant. */
export const CONSTANT = -1;

/** All that an operation puts together, in its place, and which of the layer's inputs each is, or `CONSTANT`. */
export interface Operands {
  values: Tensor[];
  numbers: number[];
}

/** The values that enter: a layer that reads one has sizes and weights as its others. */
export function read(operation: Operation | null, sources: Tensor[], weights: Weights): Tensor[] {
  const one = (operation !== null && OF_ONE.includes(operation.type)) || "origin" in weights;
  return one ? sources.slice(0, 1) : sources;
}

/**
 * A layer's inputs and the constants of the roles `operand0`, `operand1`, ... together; `null` where a place stays empty.
 * Reports of before these roles called the constant of arithmetic with one `left` or `right`.
 */
export function operandsOf(sources: Tensor[], weights: Weights): Operands | null {
  const constants = new Map<number, Tensor>();
  for (const [role, value] of Object.entries(weights)) {
    const place = role === "left" ? 0 : role === "right" ? 1 : Number(/^operand(\d+)$/.exec(role)?.[1] ?? -1);
    if (place >= 0) constants.set(place, value);
  }
  const values: Tensor[] = [];
  const numbers: number[] = [];
  let next = 0;
  for (let place = 0; place < sources.length + constants.size; place++) {
    const constant = constants.get(place);
    const value = constant ?? sources[next];
    if (!value) return null;
    values.push(value);
    numbers.push(constant ? CONSTANT : next++);
  }
  return { values, numbers };
}

/** Whether there is a constant among them. */
export function hasConstant({ numbers }: Operands): boolean {
  return numbers.includes(CONSTANT);
}

/** Arithmetic of one value with a constant is a merge of the two. */
export function asMerge(operation: Operation, operands: Operands): Operation {
  const alone = hasConstant(operands) && operands.numbers.filter((number) => number !== CONSTANT).length === 1;
  if (!alone || operation.type !== "Pointwise" || operation.axes.length > 0) return operation;
  return { type: "Merge", function: operation.function, axis: null, factor: 1, constants: [] };
}

/** Whether the weights are all there that the arithmetic needs, and say all that the layer does. */
export function complete(operation: Operation | null, weights: Weights): boolean {
  const biased = (operation?.type === "Convolution" || operation?.type === "Dense") && operation.bias;
  return wholeMerge(operation, weights) && !("fused" in weights) && (!biased || "bias" in weights);
}

/** Whether the constants are all there that a merge has among its operands; reports of before name none. */
function wholeMerge(operation: Operation | null, weights: Weights): boolean {
  if (operation?.type !== "Merge") return true;
  const roles = Object.keys(weights).filter((role) => /^operand\d+$/.test(role));
  const wanted = (operation.constants ?? []).map(([place]) => `operand${place}`);
  return roles.length === wanted.length && wanted.every((role) => role in weights);
}
