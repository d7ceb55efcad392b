/** Whole layers by their formula, held against the explanation of each single value, which goes another way. */
import { describe, expect, it } from "vitest";
import { explain, type Described } from "../src/arithmetic/explaining";
import type { Operation, Tensor } from "../src/arithmetic/operations";
import { byFormula } from "../src/source/embedded/formulas";

let state = 1;
const next = () => Math.fround((state = (Math.imul(state, 1664525) + 1013904223) >>> 0) / 2 ** 30 - 2);

function tensor(shape: number[], make: (n: number) => number = next): Tensor {
  return { shape, data: Float32Array.from({ length: shape.reduce((product, size) => product * size, 1) }, (_, n) => make(n)) };
}

interface Case {
  operation: Operation;
  outputs: number[];
  sources: Tensor[];
  weights?: Record<string, Tensor>;
}

const pooling = { type: "Pooling", mode: "max", ceil_mode: false, count_include_pad: false, adaptive: false, whole: false, power: 2, divisor: null, padding_mode: "zeros", ignores_nan: false, settles_nan: true } as const;
const activation = (name: string, constants: [string, number | "Infinity"][] = []): Operation => ({ type: "Activation", function: name, constants, axis: null });
const merge = (name: string, factor = 1, axis: number | null = null): Operation => ({ type: "Merge", function: name, axis, factor });
const reshape = (change: { axes?: number[]; channels_last?: boolean }): Operation => ({ type: "Reshape", function: "reshape", aligned: false, axes: [], channels_last: false, ...change });
const batch: Operation = { type: "Normalisation", mode: "batch", epsilon: 0.001, groups: 1, axes: [], constants: [] };
const some = () => tensor([3, 5, 7]);

const CASES: Record<string, Case> = {
  relu: { operation: activation("relu"), outputs: [3, 5, 7], sources: [some()] },
  clip: { operation: activation("clip", [["min", -0.5], ["max", "Infinity"]]), outputs: [3, 5, 7], sources: [some()] },
  "leaky relu": { operation: activation("leaky_relu", [["alpha", 0.1]]), outputs: [3, 5, 7], sources: [some()] },
  "thresholded relu": { operation: activation("thresholded_relu", [["alpha", 0.5]]), outputs: [3, 5, 7], sources: [some()] },
  threshold: { operation: activation("threshold", [["threshold", 0.5], ["value", 9]]), outputs: [3, 5, 7], sources: [some()] },
  abs: { operation: activation("abs"), outputs: [6], sources: [tensor([6])] },
  neg: { operation: { type: "Pointwise", function: "neg", axes: [], settles_nan: true }, outputs: [3, 5, 7], sources: [some()] },
  "hard swish": { operation: activation("hard_swish"), outputs: [3, 5, 7], sources: [tensor([3, 5, 7], () => 3 * next())] },
  "prelu, a slope a channel": { operation: activation("prelu"), outputs: [3, 5, 7], sources: [some()], weights: { slope: tensor([3]) } },
  "prelu, a slope a value": { operation: activation("prelu"), outputs: [3, 5, 7], sources: [some()], weights: { slope: some() } },
  "maximum of windows, padded": {
    operation: { ...pooling, kernel_size: [3, 2], stride: [2, 2], dilation: [1, 2], padding: [[1, 1], [0, 1]], least: "-Infinity" },
    outputs: [3, 3, 3],
    sources: [some()],
  },
  "maximum that begins with 0": { operation: { ...pooling, kernel_size: [2, 2], stride: [2, 2], dilation: [1, 1], padding: [[0, 0], [0, 0]], least: 0 }, outputs: [3, 2, 3], sources: [tensor([3, 5, 7], () => next() - 2)] },
  "maximum of a row": { operation: { ...pooling, kernel_size: [3], stride: [1], dilation: [1], padding: [[1, 1]], least: "-Infinity" }, outputs: [3, 8], sources: [tensor([3, 8], (n) => (n === 9 ? NaN : next()))] },
  "maximum that passes over NaN": { operation: { ...pooling, ignores_nan: true, kernel_size: [3], stride: [1], dilation: [1], padding: [[0, 0]], least: -1e30 }, outputs: [3, 6], sources: [tensor([3, 8], (n) => (n === 9 ? NaN : next()))] },
  "adaptive maximum": { operation: { ...pooling, adaptive: true, kernel_size: [2, 3], stride: [1, 1], dilation: [1, 1], padding: [[0, 0], [0, 0]], least: "-Infinity" }, outputs: [3, 3, 4], sources: [some()] },
  "batch normalisation": { operation: batch, outputs: [3, 5, 7], sources: [some()], weights: { mean: tensor([3]), variance: tensor([3], () => next() + 3), scale: tensor([3]), shift: tensor([3]) } },
  "batch normalisation without scale": { operation: batch, outputs: [3, 5, 7], sources: [some()], weights: { mean: tensor([3]), variance: tensor([3], () => next() + 3) } },
  add: { operation: merge("add"), outputs: [3, 5, 7], sources: [some(), some()] },
  "subtract a multiple, broadcast": { operation: merge("subtract", 0.3), outputs: [3, 5, 7], sources: [some(), tensor([3, 1, 1])] },
  "multiply, broadcast": { operation: merge("multiply"), outputs: [3, 5, 7], sources: [tensor([1, 7]), some()] },
  divide: { operation: merge("divide"), outputs: [3, 5, 7], sources: [some(), some()] },
  maximum: { operation: merge("maximum"), outputs: [6], sources: [tensor([6]), tensor([6], (n) => (n === 2 ? NaN : next()))] },
  minimum: { operation: merge("minimum"), outputs: [6], sources: [tensor([6], (n) => (n === 2 ? NaN : next())), tensor([1])] },
  "concatenated channels": { operation: merge("concat", 1, 0), outputs: [5, 4], sources: [tensor([2, 4]), tensor([3, 4])] },
  "concatenated columns": { operation: merge("concat", 1, 2), outputs: [3, 5, 9], sources: [some(), tensor([3, 5, 2])] },
  "zeros around": { operation: { type: "Pad", padding: [[1, 2], [0, 1]], mode: "constant", value: 0.25, channels: [1, 0] }, outputs: [4, 8, 8], sources: [some()] },
  "reflected around": { operation: { type: "Pad", padding: [[2, 1], [1, 0]], mode: "reflect", value: 0, channels: [0, 0] }, outputs: [3, 8, 8], sources: [some()] },
  cropped: { operation: { type: "Pad", padding: [[-1, -1], [0, -2]], mode: "zeros", value: 0, channels: [0, 0] }, outputs: [3, 3, 5], sources: [some()] },
  slice: { operation: { type: "Slice", start: [4, 1], step: [-2, 3], first_channel: 1, channel_step: 1 }, outputs: [2, 3, 2], sources: [some()] },
  transpose: { operation: reshape({ axes: [2, 0, 1] }), outputs: [7, 3, 5], sources: [some()] },
  flatten: { operation: reshape({}), outputs: [105], sources: [some()] },
  "flatten, channels last": { operation: reshape({ channels_last: true }), outputs: [105], sources: [some()] },
  "reshape, channels last": { operation: reshape({ channels_last: true }), outputs: [5, 7, 3], sources: [some()] },
  "copies in an order of their own": { operation: reshape({ axes: [] }), outputs: [2, 2], sources: [tensor([4])], weights: { origin: { shape: [2, 2], data: Int32Array.of(3, 0, 0, 2) } } },
  dropout: { operation: { type: "Pointwise", function: "dropout", axes: [], settles_nan: true }, outputs: [3, 5, 7], sources: [some()] },
  affine: { operation: { type: "Pointwise", function: "affine", axes: [], settles_nan: true }, outputs: [3, 5, 7], sources: [some()], weights: { scale: tensor([3]), shift: tensor([1]) } },
  "a constant minus x": { operation: { type: "Pointwise", function: "subtract", axes: [], settles_nan: true }, outputs: [3, 5, 7], sources: [some()], weights: { operand0: tensor([3, 1, 1]) } },
  "x divided by a constant": { operation: { type: "Pointwise", function: "divide", axes: [], settles_nan: true }, outputs: [3, 5, 7], sources: [some()], weights: { operand1: tensor([]) } },
  "a constant minus x, of an earlier report": { operation: { type: "Pointwise", function: "subtract", axes: [], settles_nan: true }, outputs: [3, 5, 7], sources: [some()], weights: { left: tensor([3, 1, 1]) } },
  "x divided by a constant, of an earlier report": { operation: { type: "Pointwise", function: "divide", axes: [], settles_nan: true }, outputs: [3, 5, 7], sources: [some()], weights: { right: tensor([]) } },
  "a constant in front of x and behind": {
    operation: { type: "Merge", function: "concat", axis: 1, factor: 1, constants: [[0, [3, 1, 7]], [2, [3, 2, 7]]] },
    outputs: [3, 8, 7],
    sources: [some()],
    weights: { operand0: tensor([3, 1, 7]), operand2: tensor([3, 2, 7]) },
  },
  "a constant minus a multiple of x": {
    operation: { type: "Merge", function: "subtract", axis: null, factor: 0.3, constants: [[0, [3, 1, 1]]] },
    outputs: [3, 5, 7],
    sources: [some()],
    weights: { operand0: tensor([3, 1, 1]) },
  },
};

describe("a whole layer by its formula", () => {
  it.each(Object.keys(CASES))("%s", (name) => {
    const { operation, outputs, sources, weights = {} } = CASES[name]!;
    const found = byFormula(operation, outputs, sources, weights)!;
    const layer: Described = { name, op: "", kind: "other", inputs: sources.map((_, n) => `input ${n}`), output_shape: outputs, dtype: "float32", operation };
    const expected = Array.from(found, (_, n) => {
      const index = outputs.map((size, axis) => Math.floor(n / outputs.slice(axis + 1).reduce((product, one) => product * one, 1)) % size);
      return Math.fround(explain(layer, index, sources, weights)!.total);
    });
    expect(found.length).toBe(outputs.reduce((product, size) => product * size, 1));
    expect([...found].map((value) => value + 0)).toEqual(expected.map((value) => value + 0));
  });
  it("isn't there for functions that are approximated", () => {
    expect(byFormula(activation("sigmoid"), [6], [tensor([6])], {})).toBeNull();
    expect(byFormula({ ...pooling, mode: "average", kernel_size: [2], stride: [1], dilation: [1], padding: [[0, 0]], least: 0 }, [1, 7], [tensor([1, 8])], {})).toBeNull();
  });
});
