/** A line of blocks as an ONNX model, node for node the one that `convlens sketch` writes. The twin of `convlens.sketches.building`. */
import { isSliding, isWeighted, type Block, type Pair } from "./blocks";
import { addedOf, padsOf, type Fit, type Shape } from "./geometry";
import { BATCHNORM_EPSILON } from "./layers";
import { Message } from "./protobuf";
import type { Weights } from "./weights";

const OPSET = 20;
const IR_VERSION = 9;
const FLOAT = 1;
const TYPES = { f: 1, i: 2, ints: 7 };
const INPUT = "picture";

type Setting = number | readonly number[] | { float: number };

const ONE_NODE: Partial<Record<Block["kind"], [string, Record<string, Setting>]>> = {
  relu: ["Relu", {}],
  sigmoid: ["Sigmoid", {}],
  tanh: ["Tanh", {}],
  gelu: ["Gelu", {}],
  softmax: ["Softmax", { axis: 1 }],
  flatten: ["Flatten", {}],
  globalavgpool: ["GlobalAveragePool", {}],
};

export interface Model {
  readonly sketch: string;
  readonly seed: number;
  readonly fits: readonly Fit[];
  readonly weights: readonly (Weights | null)[];
  readonly picture: Shape;
}

export function onnxOf({ sketch, seed, fits, weights, picture }: Model): Uint8Array {
  const graph = new Graph();
  fits.forEach((fit, n) => add(graph, fit, weights[n] ?? null));
  const values = fits.map((fit) => valueInfo(fit.block.name, fit.output));
  const body = new Message();
  for (const node of graph.nodes) body.message(1, node);
  body.words(2, "sketch");
  for (const tensor of graph.weights) body.message(5, tensor);
  body.message(11, valueInfo(INPUT, picture)).message(12, values[values.length - 1] as Message);
  for (const value of values.slice(0, -1)) body.message(13, value);
  const grey = picture[0] === 1;
  const recipe = { resize: "crop", channels: grey ? "grey" : "rgb", scale: grey ? 1 / 255 : 1, mean: [0], std: [1] };
  return new Message()
    .whole(1, IR_VERSION)
    .words(2, "convlens")
    .words(6, `The sketch: ${sketch}`)
    .message(7, body)
    .message(8, new Message().words(1, "").whole(2, OPSET))
    .message(14, new Message().words(1, "convlens.sketch").words(2, JSON.stringify({ sketch, seed })))
    .message(14, new Message().words(1, "convlens.recipe").words(2, JSON.stringify(recipe)))
    .done();
}

class Graph {
  value = INPUT;
  readonly nodes: Message[] = [];
  readonly weights: Message[] = [];

  /** Adds a node that reads the last value, then `inputs`. */
  node(op: string, name: string, inputs: readonly string[], settings: Readonly<Record<string, Setting>> = {}): void {
    const node = new Message();
    for (const input of [this.value, ...inputs]) node.words(1, input);
    node.words(2, name).words(3, name).words(4, op);
    for (const key of Object.keys(settings).sort()) node.message(5, attribute(key, settings[key] as Setting));
    this.nodes.push(node);
    this.value = name;
  }

  weight(name: string, shape: readonly number[], data: Float32Array): string {
    const tensor = new Message();
    for (const size of shape) tensor.whole(1, size);
    tensor.whole(2, FLOAT).words(8, name).bytes(9, littleEndian(data));
    this.weights.push(tensor);
    return name;
  }
}

export function littleEndian(data: Float32Array): Uint8Array {
  const view = new DataView(new ArrayBuffer(data.length * 4));
  data.forEach((value, n) => view.setFloat32(n * 4, value, true));
  return new Uint8Array(view.buffer);
}

function attribute(name: string, setting: Setting): Message {
  const found = new Message().words(1, name);
  if (typeof setting === "number") return found.whole(3, setting).whole(20, TYPES.i);
  if ("float" in setting) return found.float(2, setting.float).whole(20, TYPES.f);
  for (const value of setting) found.whole(8, value);
  return found.whole(20, TYPES.ints);
}

function valueInfo(name: string, shape: Shape): Message {
  const sizes = new Message().message(1, new Message().words(2, "batch"));
  for (const size of shape) sizes.message(1, new Message().whole(1, size));
  const tensor = new Message().whole(1, FLOAT).message(2, sizes);
  return new Message().words(1, name).message(2, new Message().message(1, tensor));
}

function add(graph: Graph, { block, input }: Fit, weights: Weights | null): void {
  const { kind, name } = block;
  if (isWeighted(block) && weights) {
    if (kind === "dense" && input.length === 3) graph.node("Flatten", `${name}_flatten`, []);
    const inputs = [graph.weight(`${name}.weight`, weights.kernel.shape, weights.kernel.data as Float32Array)];
    if (weights.bias) inputs.push(graph.weight(`${name}.bias`, weights.bias.shape, weights.bias.data as Float32Array));
    if (block.kind === "dense") graph.node("Gemm", name, inputs, { transB: 1 });
    else graph.node(block.kind === "tconv" ? "ConvTranspose" : "Conv", name, inputs, slid(block, input));
  } else if (isSliding(block)) {
    graph.node(kind === "maxpool" ? "MaxPool" : "AveragePool", name, [], { kernel_shape: block.kernel, strides: block.stride, pads: padsFor(block, input) });
  } else if (block.kind === "leakyrelu") graph.node("LeakyRelu", name, [], { alpha: { float: block.slope } });
  else if (kind === "batchnorm") {
    const channels = input[0] as number;
    const roles = [["scale", 1], ["shift", 0], ["mean", 0], ["variance", 1]] as const;
    const inputs = roles.map(([role, value]) => graph.weight(`${name}.${role}`, [channels], new Float32Array(channels).fill(value)));
    graph.node("BatchNormalization", name, inputs, { epsilon: { float: BATCHNORM_EPSILON } });
  } else if (kind === "silu") {
    const source = graph.value;
    graph.node("Sigmoid", `${name}_sigmoid`, []);
    graph.node("Mul", name, [source]);
  } else {
    const [op, settings] = ONE_NODE[kind] as [string, Record<string, Setting>];
    graph.node(op, name, [], settings);
  }
}

type WithKernel = Extract<Block, { dilation: Pair }>;

function slid(block: WithKernel, input: Shape): Record<string, Setting> {
  const settings: Record<string, Setting> = { kernel_shape: block.kernel, strides: block.stride, dilations: block.dilation, pads: padsFor(block, input) };
  if (block.kind === "conv") settings["group"] = block.groups;
  if (block.kind === "dwconv") settings["group"] = input[0] as number;
  if (block.kind === "tconv") settings["output_padding"] = addedOf(block);
  return settings;
}

function padsFor(block: Extract<Block, { kernel: Pair }>, input: Shape): number[] {
  const [[top, bottom], [left, right]] = padsOf(block, input);
  return [top, left, bottom, right];
}
