/** Which part of the picture can reach a value, along a line of blocks. The twin of `convlens.receptive`. */
import { dilationOf, isSliding, type Block } from "./blocks";

/** A fraction in lowest terms, `under` above 0. */
export interface Ratio {
  readonly over: number;
  readonly under: number;
}

/** Unit `i` reads the picture from `stride * i + low` to `stride * i + high`, both included. */
interface Axis {
  readonly stride: Ratio;
  readonly low: Ratio;
  readonly high: Ratio;
}

export interface Field {
  readonly axes: readonly Axis[];
  /** Most pixels that a value sees along each axis. */
  readonly size: readonly number[];
  /** Every value sees the same. */
  readonly whole: boolean;
  readonly exact: boolean;
  readonly unionExact: boolean;
}

const WHOLE = (over: number): Ratio => ({ over, under: 1 });

export function ofPicture(sizes: readonly number[]): Field {
  const axis: Axis = { stride: WHOLE(1), low: WHOLE(0), high: WHOLE(0) };
  return told(sizes.map(() => axis), true, true);
}

/** The field of a block's values, from the field of what it reads. */
export function through(block: Block, field: Field, before: readonly number[], after: readonly number[]): Field {
  if (isSliding(block)) return slid(block, field, before);
  if (block.kind === "globalavgpool" || block.kind === "dense") return joined(field, before, field.unionExact);
  if (block.kind !== "flatten" || after.length === before.length) return field;
  const moves = field.axes.some((axis) => axis.stride.over !== 0);
  return joined(field, before, field.exact && !moves);
}

function slid(block: Extract<Block, { kernel: unknown }>, field: Field, before: readonly number[]): Field {
  const dilation = dilationOf(block);
  const axes = field.axes.map((axis, n) => {
    const [kernel, stride, step] = [block.kernel[n] as number, block.stride[n] as number, dilation[n] as number];
    const pad = beforeOf(block, n, before[n + 1] as number);
    if (block.kind === "tconv") return reads(axis, ratio(1, stride), ratio(pad - step * (kernel - 1), stride), ratio(pad, stride));
    return reads(axis, WHOLE(stride), WHOLE(-pad), WHOLE(step * (kernel - 1) - pad));
  });
  if (block.kind !== "tconv" || block.stride.every((stride) => stride === 1)) return told(axes, field.exact, field.unionExact);
  const gapless = block.kernel.every((kernel, n) => dilation[n] === 1 && kernel >= (block.stride[n] as number));
  const onPicture = field.axes.every(({ stride, low, high }) => stride.over === 1 && stride.under === 1 && low.over === 0 && high.over === 0);
  return told(axes, field.exact && gapless && onPicture, field.unionExact && gapless);
}

/** The padding before the first value along an axis. */
function beforeOf(block: Extract<Block, { kernel: unknown }>, axis: number, size: number): number {
  if (block.padding !== null) return block.padding[axis] as number;
  const [kernel, stride, dilation] = [block.kernel[axis] as number, block.stride[axis] as number, dilationOf(block)[axis] as number];
  const reach = dilation * (kernel - 1) + 1;
  return Math.max(block.kind === "tconv" ? reach - stride : (Math.ceil(size / stride) - 1) * stride + reach - size, 0) >> 1;
}

/** Every value sees what all values of the layer see together. */
function joined(field: Field, before: readonly number[], exact: boolean): Field {
  const axes = field.axes.map((axis, n) => {
    const last = times(axis.stride, WHOLE((before[n + 1] ?? 1) - 1));
    return { stride: WHOLE(0), low: plus(axis.low, last.over < 0 ? last : WHOLE(0)), high: plus(axis.high, last.over > 0 ? last : WHOLE(0)) };
  });
  return told(axes, exact, field.unionExact);
}

function reads(axis: Axis, stride: Ratio, low: Ratio, high: Ratio): Axis {
  return { stride: times(axis.stride, stride), low: plus(times(axis.stride, low), axis.low), high: plus(times(axis.stride, high), axis.high) };
}

function told(axes: readonly Axis[], exact: boolean, unionExact: boolean): Field {
  return { axes, size: axes.map(longest), whole: axes.every((axis) => axis.stride.over === 0), exact, unionExact };
}

/** Whole pixels in the interval, the most over all units: with a fractional stride they differ from unit to unit. */
function longest({ stride, low, high }: Axis): number {
  let most = 0;
  for (let n = 0; n < Math.min(stride.under, 1000); n++) {
    const from = plus(low, times(stride, WHOLE(n)));
    const to = plus(high, times(stride, WHOLE(n)));
    most = Math.max(most, Math.floor(to.over / to.under) - Math.ceil(from.over / from.under) + 1);
  }
  return most;
}

export function asNumber({ over, under }: Ratio): number {
  return over / under;
}

function ratio(over: number, under: number): Ratio {
  const shared = divisor(Math.abs(over), under) || 1;
  return { over: over / shared, under: under / shared };
}

function divisor(a: number, b: number): number {
  return b === 0 ? a : divisor(b, a % b);
}

function plus(a: Ratio, b: Ratio): Ratio {
  return ratio(a.over * b.under + b.over * a.under, a.under * b.under);
}

function times(a: Ratio, b: Ratio): Ratio {
  return ratio(a.over * b.over, a.under * b.under);
}
