/** The weights of a line of blocks: drawn from a seed as Python draws them, named, and what was typed by hand over both. */
import type { Tensor } from "../arithmetic/operations";
import { isWeighted, type Block, type Weighted } from "./blocks";
import { biases, product, weightShape, type Fit, type Shape } from "./geometry";
import { namedKernel } from "./kernels";
import { Stream } from "./random";

export interface Weights {
  readonly kernel: Tensor;
  readonly bias: Tensor | null;
}

/** Weights that weren't drawn, as those of a training: for the first block that has any, the second, and so on. */
export interface Given {
  readonly name: string;
  readonly weights: readonly Weights[];
}

/** A number typed by hand: of a block (its place in the line), of a role, at an index into the weights as they are stored. */
export interface Edit {
  readonly block: number;
  readonly role: "kernel" | "bias";
  readonly index: readonly number[];
  readonly value: number;
}

const kept = new Map<string, Float32Array>();
const KEPT = 24;

/** The weights of every block, null for those without. */
export function weightsOf(fits: readonly Fit[], seed: number, edits: readonly Edit[] = [], given: Given | null = null): (Weights | null)[] {
  let drawn = 0;
  return fits.map(({ block, input }, n) => {
    if (!isWeighted(block)) return null;
    const shape = weightShape(block, input);
    const count = biases(block, input);
    const drawing = (place: number): Weights => ({
      kernel: { shape: [...shape], data: remembered(block, input, seed, place) },
      bias: count ? { shape: [count], data: new Float32Array(count) } : null,
    });
    const place = drawn++;
    const brought = given?.weights[place];
    const found = brought && takes(shape, count, brought) ? brought : drawing(place);
    const own = edits.filter((edit) => edit.block === n);
    return own.length ? edited(found, own) : found;
  });
}

/** The names of the blocks that have given weights: those whose shapes are the given ones. */
export function carrying(fits: readonly Fit[], given: Given | null): string[] {
  const weighted = fits.filter(({ block }) => isWeighted(block));
  return weighted.flatMap(({ block, input }, n) => {
    const brought = given?.weights[n];
    return brought && isWeighted(block) && takes(weightShape(block, input), biases(block, input), brought) ? [block.name] : [];
  });
}

/** Whether given weights are of the sizes that a block has. */
function takes(shape: Shape, count: number, { kernel, bias }: Weights): boolean {
  return String(kernel.shape) === String(shape) && (bias?.shape[0] ?? 0) === count;
}

function edited({ kernel, bias }: Weights, edits: readonly Edit[]): Weights {
  const found: Weights = {
    kernel: { shape: kernel.shape, data: kernel.data.slice() as Float32Array },
    bias: bias && { shape: bias.shape, data: bias.data.slice() as Float32Array },
  };
  for (const { role, index, value } of edits) {
    const tensor = role === "kernel" ? found.kernel : found.bias;
    if (tensor && fits(tensor.shape, index)) tensor.data[placeOf(tensor.shape, index)] = value;
  }
  return found;
}

/** Whether an index lies in an array of this shape. */
export function fits(shape: readonly number[], index: readonly number[]): boolean {
  return index.length === shape.length && index.every((place, axis) => place >= 0 && place < (shape[axis] as number));
}

export function placeOf(shape: readonly number[], index: readonly number[]): number {
  return index.reduce((place, step, axis) => place * (shape[axis] as number) + step, 0);
}

/** Drawn weights, not to be written to; those of a large layer take a while, so the last ones are kept. */
function remembered(block: Weighted, input: Shape, seed: number, drawn: number): Float32Array {
  const named = "named" in block ? block.named : null;
  const key = [block.kind, ...weightShape(block, input), named ?? `${seed}/${drawn}`, "multiplier" in block ? block.multiplier : ""].join(" ");
  const known = kept.get(key);
  if (known) return known;
  const data = named ? repeated(block, input, named) : glorot(block, input, new Stream([seed, drawn]));
  kept.set(key, data);
  if (kept.size > KEPT) kept.delete(kept.keys().next().value as string);
  return data;
}

/** A convolution adds its channels up; a named kernel reads their mean. */
function repeated(block: Weighted, input: Shape, named: string): Float32Array {
  const shape = weightShape(block, input);
  const shared = shape[1] as number;
  const kernel = namedKernel(named, [shape[2] as number, shape[3] as number]).map((value) => value / shared);
  const data = new Float32Array(product(shape));
  for (let at = 0; at < data.length; at += kernel.length) data.set(kernel, at);
  return data;
}

/** Glorot uniform (X. Glorot and Y. Bengio, 2010, equation 16), with the fans that Keras counts. */
function glorot(block: Weighted, input: Shape, stream: Stream): Float32Array {
  const shape = weightShape(block, input);
  const [fanIn, fanOut] = fans(block, shape);
  const limit = Math.fround(Math.sqrt(6 / (fanIn + fanOut)));
  const data = new Float32Array(product(shape));
  for (let n = 0; n < data.length; n++) data[n] = limit * Math.fround(2 * stream.next() - 1);
  return data;
}

function fans(block: Weighted, shape: Shape): [number, number] {
  const taps = product(shape.slice(2));
  const [first, second] = shape as [number, number];
  if (block.kind === "dwconv") return [Math.floor((taps * first) / block.multiplier), taps * block.multiplier];
  return [taps * second, taps * first];
}

/** The blocks whose weights can be typed: those with kernels. */
export function hasKernels(block: Block): block is Exclude<Weighted, { kind: "dense" }> {
  return isWeighted(block) && block.kind !== "dense";
}
