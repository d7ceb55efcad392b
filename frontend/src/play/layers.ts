/** Whole layers of a line of blocks, worked out by their formulas in float64, each value rounded to float32 once. */
import type { Convolution as Described, Tensor } from "../arithmetic/operations";
import { FUNCTIONS } from "../arithmetic/functions";
import { Convolver, IN_FLOAT64 } from "../source/embedded/convolving";
import { dilationOf, type Block, type Convolution, type Depthwise, type Pool, type Transposed } from "./blocks";
import { padsOf, product, type Shape } from "./geometry";
import type { Weights } from "./weights";

/** A layer that is being worked out: some of its channels, or rows of one, at a time. */
export interface Work {
  readonly output: Shape;
  readonly data: Float32Array;
  /** Pieces that can be worked out one after the other, and what is done for each. */
  readonly pieces: number;
  piece(n: number): void;
}

const TAPS_AT_ONCE = 2_000_000; // multiplications in one piece

/** How a block is worked out of what it reads; `output` is the shape of what it makes. */
export function work(block: Block, weights: Weights | null, source: Tensor, output: Shape): Work {
  const data = new Float32Array(product(output));
  const whole = (fill: () => void): Work => ({ output, data, pieces: 1, piece: fill });
  switch (block.kind) {
    case "conv":
    case "dwconv":
      return convolved(block, weights as Weights, source, output, data);
    case "tconv":
      return transposed(block, weights as Weights, source, output, data);
    case "maxpool":
    case "avgpool":
      return { output, data, pieces: output[0] as number, piece: (channel) => pooled(block, source, output, data, channel) };
    case "globalavgpool":
      return whole(() => means(source, data));
    case "dense":
      return whole(() => multiplied(weights as Weights, source, data));
    case "softmax":
      return whole(() => shares(source, data));
    case "flatten":
      return whole(() => data.set(source.data));
    case "batchnorm":
      return whole(() => each(source, data, (x) => x / Math.sqrt(1 + BATCHNORM_EPSILON)));
    default:
      return whole(() => each(source, data, functionOf(block)));
  }
}

/** The default of Keras; the statistics are those of an untrained layer. */
export const BATCHNORM_EPSILON = 1e-3;

function functionOf(block: Block): (x: number) => number {
  if (block.kind === "relu") return (x) => (x <= 0 ? 0 : x);
  if (block.kind === "leakyrelu") {
    const slope = Math.fround(block.slope);
    return (x) => (x > 0 ? x : slope * x);
  }
  const found = FUNCTIONS[block.kind === "silu" ? "swish" : block.kind];
  if (!found) throw new Error(`There is no function for ${block.kind}`);
  return (x) => found.compute(x, { alpha: 1 });
}

function each(source: Tensor, into: Float32Array, compute: (x: number) => number): void {
  const from = source.data;
  for (let n = 0; n < into.length; n++) into[n] = compute(from[n] as number);
}

/** A convolution as the page's arithmetic describes it. */
export function described(block: Convolution | Depthwise, input: Shape): Described {
  const channels = input[0] as number;
  return {
    type: "Convolution",
    in_channels: channels,
    filters: block.kind === "conv" ? block.filters : channels * block.multiplier,
    kernel_size: [...block.kernel],
    stride: [...block.stride],
    dilation: [...block.dilation],
    padding: padsOf(block, input).map(([before, after]) => [before, after]),
    groups: block.kind === "conv" ? block.groups : channels,
    bias: block.bias,
    transposed: false,
    output_padding: [0, 0],
    padding_mode: "zeros",
  };
}

function convolved(block: Convolution | Depthwise, weights: Weights, source: Tensor, output: Shape, data: Float32Array): Work {
  const [filters = 1, rows = 1, columns = 1] = output;
  const operation = described(block, source.shape);
  const convolver = new Convolver(operation, IN_FLOAT64, source, { kernel: weights.kernel, bias: weights.bias ?? undefined }, [rows, columns]);
  const terms = (operation.in_channels / operation.groups) * product(block.kernel);
  const tall = Math.max(1, Math.min(rows, Math.floor(TAPS_AT_ONCE / Math.max(1, terms * columns))));
  const strips = Math.ceil(rows / tall);
  return {
    output,
    data,
    pieces: filters * strips,
    piece(n) {
      const filter = Math.floor(n / strips);
      const from = (n % strips) * tall;
      convolver.rows(filter, 0, from, Math.min(from + tall, rows), data, (filter * rows + from) * columns);
    },
  };
}

/** Every value of the input spreads its kernel over the output. */
function transposed(block: Transposed, weights: Weights, source: Tensor, output: Shape, data: Float32Array): Work {
  const [channels = 1, high = 1, wide = 1] = source.shape;
  const [filters = 1, rows = 1, columns = 1] = output;
  const pads = padsOf(block, source.shape);
  const [tall, across] = block.kernel;
  const piece = (filter: number): void => {
    const sums = new Float64Array(rows * columns);
    for (let channel = 0; channel < channels; channel++) {
      for (let tap = 0; tap < tall * across; tap++) {
        const weight = weights.kernel.data[(channel * filters + filter) * tall * across + tap] as number;
        const down = Math.floor(tap / across) * block.dilation[0] - pads[0][0];
        const right = (tap % across) * block.dilation[1] - pads[1][0];
        for (let row = 0; row < high; row++) {
          const to = row * block.stride[0] + down;
          if (to < 0 || to >= rows) continue;
          const from = (channel * high + row) * wide;
          for (let column = 0; column < wide; column++) {
            const place = column * block.stride[1] + right;
            if (place >= 0 && place < columns) sums[to * columns + place] = (sums[to * columns + place] as number) + (source.data[from + column] as number) * weight;
          }
        }
      }
    }
    const bias = (weights.bias?.data[filter] as number | undefined) ?? 0;
    const start = filter * rows * columns;
    for (let n = 0; n < sums.length; n++) data[start + n] = (sums[n] as number) + bias;
  };
  return { output, data, pieces: filters, piece };
}

/** The largest or the mean of every window of one channel, rows first, then columns; padding never counts. */
function pooled(block: Pool, source: Tensor, output: Shape, data: Float32Array, channel: number): void {
  const [, high = 1, wide = 1] = source.shape;
  const [, rows = 1, columns = 1] = output;
  const [[top], [left]] = padsOf(block, source.shape);
  const largest = block.kind === "maxpool";
  const from = source.data.subarray(channel * high * wide, (channel + 1) * high * wide);
  const line = new Float64Array(wide);
  const [down, right] = dilationOf(block);
  for (let row = 0; row < rows; row++) {
    const first = row * block.stride[0] - top;
    line.fill(largest ? -Infinity : 0);
    let tall = 0;
    for (let n = 0; n < block.kernel[0]; n++) {
      const place = first + n * down;
      if (place < 0 || place >= high) continue;
      tall++;
      const at = place * wide;
      if (largest) for (let k = 0; k < wide; k++) line[k] = (line[k] as number) > (from[at + k] as number) ? (line[k] as number) : (from[at + k] as number);
      else for (let k = 0; k < wide; k++) line[k] = (line[k] as number) + (from[at + k] as number);
    }
    const to = (channel * rows + row) * columns;
    for (let column = 0; column < columns; column++) {
      const begin = column * block.stride[1] - left;
      let found = largest ? -Infinity : 0;
      let across = 0;
      for (let n = 0; n < block.kernel[1]; n++) {
        const place = begin + n * right;
        if (place < 0 || place >= wide) continue;
        across++;
        const value = line[place] as number;
        if (!largest) found += value;
        else if (value > found) found = value;
      }
      data[to + column] = largest ? found : found / (tall * across);
    }
  }
}

function means(source: Tensor, data: Float32Array): void {
  const size = source.data.length / data.length;
  for (let channel = 0; channel < data.length; channel++) {
    let sum = 0;
    for (let n = 0; n < size; n++) sum += source.data[channel * size + n] as number;
    data[channel] = sum / size;
  }
}

function multiplied({ kernel, bias }: Weights, source: Tensor, data: Float32Array): void {
  const width = source.data.length;
  for (let unit = 0; unit < data.length; unit++) {
    let sum = 0;
    for (let n = 0; n < width; n++) sum += (kernel.data[unit * width + n] as number) * (source.data[n] as number);
    data[unit] = sum + ((bias?.data[unit] as number | undefined) ?? 0);
  }
}

/** exp(x) over the sum of all channels at each place. */
function shares(source: Tensor, data: Float32Array): void {
  const [channels = 1, ...rest] = source.shape;
  const size = product(rest);
  const from = source.data;
  for (let place = 0; place < size; place++) {
    let largest = -Infinity;
    for (let channel = 0; channel < channels; channel++) largest = Math.max(largest, from[channel * size + place] as number);
    let sum = 0;
    for (let channel = 0; channel < channels; channel++) sum += Math.exp((from[channel * size + place] as number) - largest);
    for (let channel = 0; channel < channels; channel++) data[channel * size + place] = Math.exp((from[channel * size + place] as number) - largest) / sum;
  }
}
