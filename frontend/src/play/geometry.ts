/** Shapes, parameters, multiply-accumulates and receptive fields of a line of blocks. The twin of `convlens.sketches.shapes` and `convlens.geometry`. */
import { dilationOf, isSliding, isWeighted, type Block, type Dense, type Pair, type Sliding, type Transposed, type Weighted, type Word } from "./blocks";
import { Mistake, say, type Said, type Words } from "./mistake";
import { ofPicture, through, type Field } from "./receptive";

/** Channels, rows, columns; or one number, the length of a vector. */
export type Shape = readonly number[];
export type Pads = readonly [Pair, Pair];

const MOST_WEIGHTS = 100_000_000;
const MOST_VALUES = 2 ** 32;

/** A block that fits what it reads. */
export interface Fit {
  readonly block: Block;
  readonly input: Shape;
  readonly output: Shape;
  readonly parameters: number;
  readonly macs: number;
  readonly field: Field;
}

/** Every block with its shapes, for pictures of `picture` (channels, rows, columns). Throws a Mistake. */
export function fit(sketch: string, blocks: readonly Block[], picture: Shape): Fit[] {
  const fits: Fit[] = [];
  let shape = picture;
  let field = ofPicture(picture.slice(1));
  let weights = 0;
  for (const [n, block] of blocks.entries()) {
    const output = outputOf(new Place(sketch, n === 0), block, shape);
    const own = isWeighted(block) ? product(weightShape(block, shape)) : 0;
    weights += own;
    checkBounds(new Place(sketch, n === 0), block, weights, output);
    field = through(block, field, shape, output);
    fits.push({ block, input: shape, output, parameters: own + extraParameters(block, shape), macs: macsOf(block, shape, output, own), field });
    shape = output;
  }
  return fits;
}

/** The shape of a block's weights as ONNX stores them. */
export function weightShape(block: Weighted, [channels = 0]: Shape): Shape {
  if (block.kind === "conv") return [block.filters, Math.floor(channels / block.groups), ...block.kernel];
  if (block.kind === "dwconv") return [channels * block.multiplier, 1, ...block.kernel];
  if (block.kind === "tconv") return [channels, block.filters, ...block.kernel];
  return [block.units, channels];
}

/** How many biases a block has. */
export function biases(block: Weighted, shape: Shape): number {
  if (!block.bias) return 0;
  return block.kind === "tconv" ? block.filters : (weightShape(block, shape)[0] as number);
}

function extraParameters(block: Block, shape: Shape): number {
  if (isWeighted(block)) return biases(block, shape);
  return block.kind === "batchnorm" ? 4 * (shape[0] ?? 0) : 0; // scale, shift, mean, variance
}

function macsOf(block: Block, input: Shape, output: Shape, weights: number): number {
  if (block.kind === "dense") return weights;
  if (block.kind === "tconv") return product(input) * block.filters * product(block.kernel);
  if (block.kind === "conv") return product(output) * Math.floor((input[0] as number) / block.groups) * product(block.kernel);
  return block.kind === "dwconv" ? product(output) * product(block.kernel) : 0;
}

/** The (before, after) padding of every axis of a block that reads `shape`; what is cropped, for a transposed one. */
export function padsOf(block: Sliding, shape: Shape): Pads {
  return [padsAlong(block, 0, shape[1] as number), padsAlong(block, 1, shape[2] as number)];
}

function padsAlong(block: Sliding, axis: 0 | 1, size: number): Pair {
  if (block.padding !== null) return [block.padding[axis], block.padding[axis]];
  const [kernel, stride, dilation] = [block.kernel[axis], block.stride[axis], dilationOf(block)[axis]];
  const reach = dilation * (kernel - 1) + 1;
  const total = Math.max(block.kind === "tconv" ? reach - stride : (Math.ceil(size / stride) - 1) * stride + reach - size, 0);
  return [total >> 1, total - (total >> 1)];
}

/** What a transposed convolution adds at the end of every axis. */
export function addedOf(block: Transposed): Pair {
  if (block.padding !== null) return block.output_padding;
  const added = (axis: 0 | 1) => Math.max(block.stride[axis] - block.dilation[axis] * (block.kernel[axis] - 1) - 1, 0);
  return [added(0), added(1)];
}

/** A shape in words. */
function told([count = 0, ...sides]: Shape): Said {
  if (!sides.length) return say("vector", { length: count });
  return count === 1 ? say("map", { size: sides.join(" x ") }) : say("maps", { count, size: sides.join(" x ") });
}

export function product(sizes: readonly number[]): number {
  return sizes.reduce((total, size) => total * size, 1);
}

/** Where in a sketch a mistake is told. */
class Place {
  constructor(
    private readonly sketch: string,
    readonly first: boolean,
  ) {}

  mistake(at: Word, problem: Said, expected: Words = "", received: Words = "", hint: Words = ""): Mistake {
    return new Mistake(problem, this.sketch, at.column, at.width, expected, received, hint);
  }
}

function outputOf(place: Place, block: Block, shape: Shape): Shape {
  if (block.kind === "dense") return denseOutput(place, block, shape);
  if (block.kind === "flatten") return [product(shape)];
  if (shape.length === 1 && (isSliding(block) || block.kind === "globalavgpool")) {
    throw place.mistake(block.word, say("readsMaps", { kind: block.kind }), say("rowsAndColumns"), told(shape), say("putBefore", { kind: block.kind }));
  }
  if (block.kind === "globalavgpool") return [shape[0] as number, 1, 1];
  if (isSliding(block)) return [channelsAfter(place, block, shape), ...sidesAfter(place, block, shape)];
  return shape;
}

function channelsAfter(place: Place, block: Sliding, [channels = 0]: Shape): number {
  if (block.kind === "conv" && channels % block.groups) {
    const at = block.places["groups"] ?? block.word;
    throw place.mistake(at, say("unsharedChannels", { channels, name: block.name, groups: block.groups }), say("divisor", { count: channels }));
  }
  if (block.kind === "dwconv") return channels * block.multiplier;
  return "filters" in block ? block.filters : channels;
}

function sidesAfter(place: Place, block: Sliding, shape: Shape): Pair {
  const sides = [sideAfter(block, 0, shape[1] as number), sideAfter(block, 1, shape[2] as number)] as const;
  if (sides.every((side) => side >= 1)) return sides;
  if (block.kind === "tconv") {
    throw place.mistake(block.places["padding"] ?? block.word, say("cropped", { name: block.name }), "", told(shape));
  }
  const [dilation, kernel] = [dilationOf(block), block.kernel];
  const window = kernel.map((size, axis) => (dilation[axis] as number) * (size - 1) + 1);
  const what = block.kind === "maxpool" || block.kind === "avgpool" ? "window" : "kernel";
  const sizes = { size: kernel.join("x"), name: block.name, span: window.join("x") };
  throw place.mistake(
    block.places["kernel"] ?? block.word,
    say(what === "kernel" && sizes.span !== sizes.size ? "kernelSpans" : `${what}Larger`, sizes),
    say(`${what}Fits`),
    told(shape),
    say(place.first ? `${what}First` : `${what}Later`),
  );
}

function sideAfter(block: Sliding, axis: 0 | 1, size: number): number {
  const [kernel, stride, dilation] = [block.kernel[axis], block.stride[axis], dilationOf(block)[axis]];
  const pad = block.padding?.[axis];
  if (block.kind === "tconv") {
    return pad === undefined ? size * stride : (size - 1) * stride - 2 * pad + dilation * (kernel - 1) + block.output_padding[axis] + 1;
  }
  return pad === undefined ? Math.ceil(size / stride) : Math.floor((size + 2 * pad - dilation * (kernel - 1) - 1) / stride) + 1;
}

function denseOutput(place: Place, block: Dense, shape: Shape): Shape {
  if (shape.length === 3 && (shape[1] !== 1 || shape[2] !== 1)) {
    throw place.mistake(block.word, say("readsVector"), say("flattenBefore"), told(shape), say("write", { text: `flatten | dense ${block.units}` }));
  }
  return [block.units];
}

function checkBounds(place: Place, block: Block, weights: number, output: Shape): void {
  if (weights > MOST_WEIGHTS) {
    const problem = say("weights", { name: block.name, count: grouped(weights) });
    throw place.mistake(block.word, problem, say("atMost", { most: grouped(MOST_WEIGHTS) }), "", say("fewerWeights"));
  }
  if (product(output) > MOST_VALUES) {
    const problem = say("values", { name: block.name, count: grouped(product(output)) });
    throw place.mistake(block.word, problem, say("atMost", { most: grouped(MOST_VALUES) }), "", say("fewerValues"));
  }
}

function grouped(value: number): string {
  return String(value).replace(/\B(?=(\d{3})+$)/g, ",");
}
