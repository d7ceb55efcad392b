/** A line of blocks as PyTorch code: the same network, with its weights. */
import { isSliding, type Block, type Pair, type Pool } from "../blocks";
import { addedOf, padsOf, type Fit, type Pads } from "../geometry";
import { BATCHNORM_EPSILON } from "../layers";
import type { Model } from "../onnx";
import { numbers, pair, valuesOf } from "./numbers";

const HEAD = `import base64
from collections import OrderedDict

import numpy as np
import torch
from torch import nn
`;
const NUMBERS = `

def numbers(values, *shape):
    if isinstance(values, str):
        values = np.frombuffer(base64.b64decode(values), "<f4")
    return torch.from_numpy(np.array(values, "float32").reshape(shape))
`;
const MEANS = `

class MeanOfWindow(nn.Module):
    """Average pooling that doesn't count what was padded."""

    def __init__(self, kernel, stride, pads):
        super().__init__()
        self.kernel, self.stride, self.pads = kernel, stride, pads

    def forward(self, x):
        def mean(values):
            return nn.functional.avg_pool2d(nn.functional.pad(values, self.pads), self.kernel, self.stride)

        return mean(x) / mean(torch.ones_like(x[:, :1]))
`;

const PLAIN: Partial<Record<Block["kind"], string>> = {
  globalavgpool: "nn.AdaptiveAvgPool2d(1)",
  relu: "nn.ReLU()",
  sigmoid: "nn.Sigmoid()",
  tanh: "nn.Tanh()",
  silu: "nn.SiLU()",
  gelu: "nn.GELU()",
  softmax: "nn.Softmax(dim=1)",
  flatten: "nn.Flatten()",
};

export function torchCode({ sketch, fits, weights, picture }: Model): string {
  const layers = fits.flatMap(layersOf).map(([name, made]) => `            ("${name}", ${made}),`);
  const filled = fits.flatMap(({ block }, n) => {
    const own = weights[n];
    if (!own) return [];
    const lines = [`    model.${block.name}.weight.copy_(${numbers(own.kernel)})`];
    if (own.bias) lines.push(`    model.${block.name}.bias.copy_(${numbers(own.bias)})`);
    return lines;
  });
  return [
    `# ${sketch}\n`,
    HEAD,
    NUMBERS,
    layers.some((line) => line.includes("MeanOfWindow")) ? MEANS : "",
    "\n\nmodel = nn.Sequential(\n    OrderedDict(\n        [\n",
    layers.join("\n"),
    "\n        ]\n    )\n)\n",
    filled.length ? `with torch.no_grad():\n${filled.join("\n")}\n` : "",
    "model.eval()\n\n",
    `# It reads pictures of shape (1, ${picture.join(", ")}), ${valuesOf(picture)}.\n`,
  ].join("");
}

type Made = [name: string, made: string];

function layersOf({ block, input }: Fit): Made[] {
  const { name } = block;
  const channels = input[0] as number;
  if (block.kind === "dense") {
    const made: Made = [name, `nn.Linear(${channels}, ${block.units}, bias=${python(block.bias)})`];
    return input.length === 3 ? [[`${name}_flatten`, "nn.Flatten()"], made] : [made];
  }
  if (block.kind === "leakyrelu") return [[name, `nn.LeakyReLU(${block.slope})`]];
  if (block.kind === "batchnorm") return [[name, `nn.BatchNorm${input.length === 3 ? 2 : 1}d(${channels}, eps=${BATCHNORM_EPSILON})`]];
  if (!isSliding(block)) return [[name, PLAIN[block.kind] as string]];
  const pads = padsOf(block, input);
  if (block.kind === "maxpool" || block.kind === "avgpool") return pooling(block, pads);
  const settings = `stride=${pair(block.stride)}, dilation=${pair(block.dilation)}, bias=${python(block.bias)}`;
  if (block.kind === "tconv") return transposed(name, `${channels}, ${block.filters}, ${pair(block.kernel)}, ${settings}`, pads, addedOf(block));
  const [filters, groups] = block.kind === "conv" ? [block.filters, block.groups] : [channels * block.multiplier, channels];
  const before: Made[] = even(pads) ? [] : [[`${name}_pad`, `nn.ZeroPad2d(${sides(pads)})`]];
  const padding = even(pads) ? pair([pads[0][0], pads[1][0]]) : "0";
  return [...before, [name, `nn.Conv2d(${channels}, ${filters}, ${pair(block.kernel)}, ${settings}, padding=${padding}, groups=${groups})`]];
}

function pooling(block: Pool, pads: Pads): Made[] {
  const window = `${pair(block.kernel)}, ${pair(block.stride)}`;
  const padded = pads.some(([before, after]) => before || after);
  if (block.kind === "avgpool") return [[block.name, padded ? `MeanOfWindow(${window}, ${sides(pads)})` : `nn.AvgPool2d(${window})`]];
  const before: Made[] = padded ? [[`${block.name}_pad`, `nn.ConstantPad2d(${sides(pads)}, -torch.inf)`]] : [];
  return [...before, [block.name, `nn.MaxPool2d(${window})`]];
}

/** PyTorch crops as much on both sides; what is more at the end is cropped by a negative padding. */
function transposed(name: string, settings: string, pads: Pads, added: Pair): Made[] {
  const [down, across] = pads;
  const made: Made = [name, `nn.ConvTranspose2d(${settings}, padding=${pair([down[0], across[0]])}, output_padding=${pair(added)})`];
  if (even(pads)) return [made];
  return [made, [`${name}_crop`, `nn.ZeroPad2d((0, ${across[0] - across[1]}, 0, ${down[0] - down[1]}))`]];
}

function even(pads: Pads): boolean {
  return pads.every(([before, after]) => before === after);
}

function sides([[top, bottom], [left, right]]: Pads): string {
  return `(${left}, ${right}, ${top}, ${bottom})`;
}

function python(value: boolean): string {
  return value ? "True" : "False";
}
