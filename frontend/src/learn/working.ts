/** What a lesson's layers make of its numbers: every value taken apart by the page's own arithmetic, none of it staged. */
import { explain, type Described } from "../arithmetic/explaining";
import type { Convolution, Operation, Pads, Pooling, Tensor } from "../arithmetic/operations";
import type { Working } from "../arithmetic/working";
import type { Activation, Name, Numbers, Settings } from "./lessons";
import { corner } from "./numbers";
import { outputSize } from "./sizes";

/** What leaky ReLU multiplies numbers below zero with. */
export const LEAK = 0.3;

/** One layer's output: the numbers, and how each came about, row by row. */
export interface Made {
  readonly side: number;
  readonly workings: readonly Working[];
  readonly numbers: readonly number[];
}

export interface Scene {
  readonly operation: Convolution | Pooling;
  readonly source: Tensor;
  /** What the layer makes, one entry a filter; of a stack what every layer makes, the last one last. */
  readonly made: readonly Made[];
  /** The same after the activation, where there is one. */
  readonly after: readonly Made[] | null;
  /** Output rows, and columns: both the same. */
  readonly side: number;
}

export function sceneOf(name: Name, settings: Settings, numbers: Numbers): Scene {
  const { size, channels, kernel } = settings;
  const source = tensor([channels, size, size], numbers.inputs.slice(0, channels).flatMap((bank) => corner(bank, size, size)));
  const operation = operationOf(name, settings);
  const side = outputSize(size, settings);
  if (name === "field") return stackOf(operation as Convolution, source, settings, numbers);
  if (name === "dense" && settings.dense) return { operation, source, made: [denseOf(source, side, numbers)], after: null, side };
  const filters = operation.type === "Convolution" ? operation.filters : 1;
  const flat = numbers.kernels.slice(0, filters).flatMap((banks) => banks.slice(0, channels).flatMap((bank) => corner(bank, kernel, kernel)));
  const weights = { kernel: tensor([filters, channels, kernel, kernel], flat), bias: tensor([filters], numbers.biases.slice(0, filters)) };
  const layer = described(operation, [filters, side, side]);
  const made = Array.from({ length: filters }, (_, filter) =>
    each(side, (row, column) => explain(layer, [filter, row, column], [source], operation.type === "Pooling" ? {} : weights)),
  );
  const after = settings.activation === "none" ? null : made.map((one) => activated(settings.activation, one));
  return { operation, source, made, after, side };
}

function operationOf(name: Name, { kernel, stride, dilation, padding, channels, filters, pool }: Settings): Convolution | Pooling {
  const pads: Pads = [
    [padding, padding],
    [padding, padding],
  ];
  const window = { kernel_size: [kernel, kernel], stride: [stride, stride], dilation: [dilation, dilation], padding: pads, padding_mode: "zeros" };
  if (name !== "pooling")
    return { type: "Convolution", in_channels: channels, filters, groups: 1, bias: biased(name), transposed: false, output_padding: [0, 0], ...window };
  return {
    type: "Pooling",
    mode: pool,
    ceil_mode: false,
    count_include_pad: false,
    adaptive: false,
    whole: false,
    power: 2,
    divisor: null,
    least: "-Infinity",
    ignores_nan: false,
    settles_nan: true,
    ...window,
  };
}

/** The lessons in which a bias is spoken of; in the others it would be one number too many. */
export function biased(name: Name): boolean {
  return name === "channels" || name === "activation";
}

/** Layers one behind the other, all with the same kernel. */
function stackOf(operation: Convolution, picture: Tensor, settings: Settings, numbers: Numbers): Scene {
  const { kernel, layers } = settings;
  const weights = { kernel: tensor([1, 1, kernel, kernel], corner(numbers.kernels[0]?.[0] ?? [], kernel, kernel)) };
  const made: Made[] = [];
  let source = picture;
  let side = settings.size;
  for (let n = 0; n < layers; n++) {
    side = outputSize(side, settings);
    const layer = described(operation, [1, side, side]);
    const read = source;
    const map = each(side, (row, column) => explain(layer, [0, row, column], [read], weights));
    made.push(map);
    source = tensor([1, side, side], [...map.numbers]);
  }
  return { operation, source: picture, made, after: null, side };
}

/** The weights of a dense layer's output: all of the input's size, from the bank of another filter. */
export function denseWeights(output: number, inputs: number, { kernels }: Numbers): number[] {
  const bank = kernels[1]?.[0] ?? [];
  return Array.from({ length: inputs }, (_, n) => bank[(output * 29 + n * 7) % bank.length] ?? 0);
}

function denseOf(source: Tensor, side: number, numbers: Numbers): Made {
  const inputs = source.data.length;
  const operation: Operation = { type: "Dense", in_features: inputs, out_features: side * side, bias: false, per_position: false, features_axis: null };
  const weight = tensor([side * side, inputs], Array.from({ length: side * side }, (_, output) => denseWeights(output, inputs, numbers)).flat());
  const layer = described(operation, [side * side]);
  return each(side, (row, column) => explain(layer, [row * side + column], [tensor([inputs], [...source.data])], { weight }));
}

function activated(name: Activation, before: Made): Made {
  const source = tensor([1, before.side, before.side], [...before.numbers]);
  const operation: Operation = { type: "Activation", function: name, constants: name === "leaky_relu" ? [["alpha", LEAK]] : [], axis: null };
  const layer = described(operation, source.shape);
  return each(before.side, (row, column) => explain(layer, [0, row, column], [source], {}));
}

function each(side: number, worked: (row: number, column: number) => Working | null): Made {
  const workings: Working[] = [];
  for (let n = 0; n < side * side; n++) {
    const working = worked(Math.floor(n / side), n % side);
    if (!working) throw new Error("the arithmetic of a lesson isn't known");
    workings.push(working);
  }
  return { side, workings, numbers: workings.map(({ total }) => total) };
}

function described(operation: Operation, shape: number[]): Described {
  return { name: operation.type, op: operation.type, kind: "", inputs: ["input"], output_shape: shape, dtype: "float64", operation };
}

function tensor(shape: number[], data: number[]): Tensor {
  return { shape, data: Float64Array.from(data) };
}
