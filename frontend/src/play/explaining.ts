/** One value of a block taken apart by the page's own arithmetic: the same explanation as the rest of the page gives. */
import { explain, type Described } from "../arithmetic/explaining";
import type { Activation, Operation, Pooling, Tensor } from "../arithmetic/operations";
import { explanationFact } from "../arithmetic/telling";
import type { ExplanationFact } from "../source/facts";
import { isSliding, type Block } from "./blocks";
import { padsOf, product, type Fit, type Shape } from "./geometry";
import { BATCHNORM_EPSILON, described } from "./layers";
import type { Weights } from "./weights";

const GROUPS = 24;

/** `source` is what the block reads, `value` what the whole layer has at `index`; `reads` is the name of what it reads. */
export function explained(fit: Fit, reads: string, weights: Weights | null, source: Tensor, index: number[], value: number): ExplanationFact {
  const { block, input, output } = fit;
  const layer: Described = {
    name: block.name,
    op: block.kind,
    kind: kindOf(block),
    inputs: [reads],
    output_shape: [...output],
    dtype: "float32",
    operation: operationOf(block, input, weights),
    sums_in: "float64",
  };
  const from = block.kind === "dense" ? { shape: [product(input)], data: source.data } : source;
  return explanationFact(layer, index, value, explain(layer, index, [from], roles(block, input, weights)), GROUPS);
}

function kindOf(block: Block): string {
  if (block.kind === "conv" || block.kind === "dwconv" || block.kind === "tconv") return "convolution";
  if (block.kind === "maxpool" || block.kind === "avgpool" || block.kind === "globalavgpool") return "pooling";
  if (block.kind === "dense") return "dense";
  return block.kind === "batchnorm" ? "normalisation" : block.kind === "flatten" ? "plumbing" : "activation";
}

function operationOf(block: Block, input: Shape, weights: Weights | null): Operation {
  switch (block.kind) {
    case "conv":
    case "dwconv":
      return described(block, input);
    case "tconv":
      return { ...described({ ...block, kind: "conv", groups: 1, named: null }, input), padding: pairs(padsOf(block, input)), transposed: true };
    case "maxpool":
    case "avgpool":
    case "globalavgpool":
      return pooling(block, input);
    case "dense":
      return { type: "Dense", in_features: product(input), out_features: block.units, bias: weights?.bias !== null, per_position: false, features_axis: null };
    case "batchnorm":
      return { type: "Normalisation", mode: "batch", epsilon: BATCHNORM_EPSILON, groups: 1, axes: [], constants: [] };
    case "flatten":
      return { type: "Reshape", function: "flatten", aligned: false, axes: [], channels_last: false };
    default:
      return activation(block);
  }
}

function pairs(pads: readonly (readonly [number, number])[]): [number, number][] {
  return pads.map(([before, after]) => [before, after]);
}

function pooling(block: Block, input: Shape): Pooling {
  const slides = isSliding(block);
  return {
    type: "Pooling",
    mode: block.kind === "maxpool" ? "max" : "average",
    kernel_size: slides ? [...block.kernel] : input.slice(1),
    stride: slides ? [...block.stride] : [1, 1],
    dilation: [1, 1],
    padding: slides ? pairs(padsOf(block, input)) : [[0, 0], [0, 0]],
    ceil_mode: false,
    count_include_pad: false,
    adaptive: false,
    whole: !slides,
    power: 2,
    divisor: null,
    padding_mode: "zeros",
    least: "-Infinity",
    ignores_nan: false,
    settles_nan: true,
  };
}

function activation(block: Block): Activation {
  const names: Partial<Record<Block["kind"], string>> = { leakyrelu: "leaky_relu", silu: "swish" };
  return {
    type: "Activation",
    function: names[block.kind] ?? block.kind,
    constants: block.kind === "leakyrelu" ? [["alpha", Math.fround(block.slope)]] : [],
    axis: block.kind === "softmax" ? 0 : null,
  };
}

function roles(block: Block, input: Shape, weights: Weights | null): Record<string, Tensor> {
  if (block.kind === "batchnorm") {
    const channels = input[0] as number;
    const of = (value: number): Tensor => ({ shape: [channels], data: new Float32Array(channels).fill(value) });
    return { mean: of(0), variance: of(1), scale: of(1), shift: of(0) };
  }
  if (!weights) return {};
  const bias = weights.bias ? { bias: weights.bias } : {};
  if (block.kind === "dense") return { weight: weights.kernel, ...bias };
  return { kernel: block.kind === "tconv" ? turned(weights.kernel) : weights.kernel, ...bias };
}

/** (channels, filters, rows, columns) as (filters, channels, rows, columns). */
function turned({ shape, data }: Tensor): Tensor {
  const [channels = 1, filters = 1, rows = 1, columns = 1] = shape;
  const size = rows * columns;
  const found = new Float32Array(data.length);
  for (let channel = 0; channel < channels; channel++) {
    for (let filter = 0; filter < filters; filter++) {
      const from = (channel * filters + filter) * size;
      found.set((data as Float32Array).subarray(from, from + size), (filter * channels + channel) * size);
    }
  }
  return { shape: [filters, channels, rows, columns], data: found };
}
