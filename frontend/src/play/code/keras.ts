/** A line of blocks as Keras code: the same network, with its weights. Keras has the channels last. */
import { isSliding, isWeighted, type Block, type Pool, type Transposed } from "../blocks";
import { padsOf, type Fit, type Pads } from "../geometry";
import { BATCHNORM_EPSILON } from "../layers";
import type { Model } from "../onnx";
import type { Weights } from "../weights";
import { numbers, pair, valuesOf } from "./numbers";

const HEAD = `import base64

import keras
import numpy as np
from keras import layers, ops


def numbers(values, *shape):
    if isinstance(values, str):
        values = np.frombuffer(base64.b64decode(values), "<f4")
    return np.array(values, "float32").reshape(shape)
`;
const INSIDE = `

def inside(size, kernel, stride, before, outputs):
    """How many cells of each window lie inside the map."""
    return [sum(0 <= n * stride - before + k < size for k in range(kernel)) for n in range(outputs)]
`;

const PLAIN: Partial<Record<Block["kind"], string>> = {
  globalavgpool: "layers.GlobalAveragePooling2D(keepdims=True",
  relu: "layers.ReLU(",
  sigmoid: 'layers.Activation("sigmoid"',
  tanh: 'layers.Activation("tanh"',
  silu: 'layers.Activation("silu"',
  gelu: 'layers.Activation("gelu"',
  softmax: "layers.Softmax(",
};

export function kerasCode({ sketch, fits, weights, picture }: Model): string {
  const lines = fits.flatMap((fit, n) => linesOf(fit, weights[n] ?? null));
  const filled = fits.flatMap(({ block, input }, n) => {
    const own = weights[n];
    return own && isWeighted(block) ? [`model.get_layer("${block.name}").set_weights([${weightsOf(block, input[0] as number, own)}])`] : [];
  });
  const [channels, rows, columns] = picture;
  return [
    `# ${sketch}\n`,
    HEAD,
    lines.some((line) => line.includes("inside(")) ? INSIDE : "",
    `\n\n# Pictures: ${valuesOf(picture)}.\nx = picture = keras.Input((${rows}, ${columns}, ${channels}), name="picture")\n`,
    lines.join("\n"),
    "\nmodel = keras.Model(picture, x)\n",
    filled.map((line) => `${line}\n`).join(""),
  ].join("");
}

function linesOf({ block, input, output }: Fit, weights: Weights | null): string[] {
  const name = `name="${block.name}"`;
  const call = (layer: string) => `x = ${layer}(x)`;
  if (block.kind === "flatten" || block.kind === "dense") {
    const flat = input.length === 3 ? [call("layers.Permute((3, 1, 2))"), call("layers.Flatten()")] : [];
    if (block.kind === "flatten") return flat;
    return [...flat, call(`layers.Dense(${block.units}, use_bias=${python(block.bias)}, ${name})`)];
  }
  if (block.kind === "leakyrelu") return [call(`layers.LeakyReLU(${block.slope}, ${name})`)];
  if (block.kind === "batchnorm") return [call(`layers.BatchNormalization(epsilon=${BATCHNORM_EPSILON}, ${name})`)];
  if (!isSliding(block)) {
    const begun = PLAIN[block.kind] as string;
    return [call(`${begun}${begun.endsWith("(") ? "" : ", "}${name})`)];
  }
  const pads = padsOf(block, input);
  if (block.kind === "tconv") return transposed(block, pads, output, weights);
  const padding = block.padding === null ? '"same"' : '"valid"';
  if (block.kind === "maxpool" || block.kind === "avgpool") return pooled(block, pads, padding, input, output);
  const settings = `strides=${pair(block.stride)}, dilation_rate=${pair(block.dilation)}, padding=${padding}, use_bias=${python(block.bias)}, ${name}`;
  const channels = input[0] as number;
  const before = block.padding !== null && padded(pads) ? [call(`layers.ZeroPadding2D(${sides(pads)})`)] : [];
  if (block.kind === "dwconv" && isSquare(block)) return [...before, call(`layers.DepthwiseConv2D(${pair(block.kernel)}, depth_multiplier=${block.multiplier}, ${settings})`)];
  const [filters, groups] = block.kind === "conv" ? [block.filters, block.groups] : [channels * block.multiplier, channels];
  return [...before, call(`layers.Conv2D(${filters}, ${pair(block.kernel)}, groups=${groups}, ${settings})`)];
}

/** TensorFlow's depthwise convolution strides as far down as across. */
function isSquare(block: Extract<Block, { kind: "dwconv" }>): boolean {
  return block.stride[0] === block.stride[1];
}

function pooled(block: Pool, pads: Pads, padding: string, input: readonly number[], output: readonly number[]): string[] {
  const layer = block.kind === "maxpool" ? "MaxPooling2D" : "AveragePooling2D";
  const made = `x = layers.${layer}(${pair(block.kernel)}, ${pair(block.stride)}, padding=${padding}, name="${block.name}")(x)`;
  if (block.padding === null || !padded(pads)) return [made];
  if (block.kind === "maxpool") return [`x = ops.pad(x, ((0, 0), ${sides(pads).slice(1, -1)}, (0, 0)), constant_values=-np.inf)`, made];
  const counts = [0, 1].map((n) => `inside(${input[n + 1]}, ${block.kernel[n]}, ${block.stride[n]}, ${pads[n]?.[0]}, ${output[n + 1]})`);
  return [
    `x = layers.ZeroPadding2D(${sides(pads)})(x)`,
    made,
    `x = x * (${block.kernel[0] * block.kernel[1]} / np.outer(${counts.join(", ")})).astype("float32")[None, :, :, None]`,
  ];
}

/** What is cropped or added beyond Keras's own "valid" gets its bias by itself, since it may hold nothing else. */
function transposed(block: Transposed, pads: Pads, output: readonly number[], weights: Weights | null): string[] {
  const begun = `layers.Conv2DTranspose(${block.filters}, ${pair(block.kernel)}, strides=${pair(block.stride)}, dilation_rate=${pair(block.dilation)}`;
  if (block.padding === null) return [`x = ${begun}, padding="same", use_bias=${python(block.bias)}, name="${block.name}")(x)`];
  const [[top], [left]] = pads;
  const [, rows = 1, columns = 1] = output;
  return [
    `x = ${begun}, use_bias=False, name="${block.name}")(x)`,
    `x = layers.ZeroPadding2D(((0, ${block.output_padding[0]}), (0, ${block.output_padding[1]})))(x)`,
    `x = x[:, ${top}:${top + rows}, ${left}:${left + columns}]`,
    ...(weights?.bias ? [`x = x + ${numbers(weights.bias)}`] : []),
  ];
}

/** The weights as the layer of Keras stores them. */
function weightsOf(block: Block, channels: number, { kernel, bias }: Weights): string {
  const turned = (): string => {
    const found = numbers(kernel);
    if (block.kind === "dense") return `${found}.T`;
    if (block.kind !== "dwconv" || !isSquare(block)) return `${found}.transpose(2, 3, 1, 0)`;
    return `${found}.reshape(${channels}, ${block.multiplier}, ${block.kernel[0]}, ${block.kernel[1]}).transpose(2, 3, 0, 1)`;
  };
  const apart = block.kind === "tconv" && block.padding !== null;
  return [turned(), ...(bias && !apart ? [numbers(bias)] : [])].join(", ");
}

function padded(pads: Pads): boolean {
  return pads.some(([before, after]) => before > 0 || after > 0);
}

function sides(pads: Pads): string {
  return `(${pads.map(([before, after]) => `(${before}, ${after})`).join(", ")})`;
}

function python(value: boolean): string {
  return value ? "True" : "False";
}
