/** Windows that slide: which input positions lie under each tap, and what the padding puts there. */
import type { Convolution, Pooling } from "./operations";
import { PADDING } from "./tensor";

/** For each tap the input position along an axis of `size` that the output at `place` reads; `PADDING` where none is. */
export function tapsAt(operation: Convolution | Pooling, axis: number, size: number, place: number): Int32Array {
  const stride = operation.stride[axis] as number;
  const dilation = operation.dilation[axis] as number;
  const before = (operation.padding[axis] as [number, number])[0];
  const taps = new Int32Array(operation.kernel_size[axis] as number);
  const turned = operation.type === "Convolution" && operation.transposed;
  for (let tap = 0; tap < taps.length; tap++) {
    if (turned) {
      const position = (place + before - dilation * tap) / stride;
      taps[tap] = Number.isInteger(position) && position >= 0 && position < size ? position : PADDING;
    } else taps[tap] = insidePadding(place * stride - before + dilation * tap, size, operation.padding_mode);
  }
  return taps;
}

/** A position along an axis of `size`, mapped to what the padding mode puts there where it lies outside. */
export function insidePadding(position: number, size: number, mode: string): number {
  if (mode === "replicate") return Math.min(Math.max(position, 0), size - 1);
  if (mode === "circular") return remainder(position, size);
  if (mode === "reflect") {
    const period = Math.max(2 * (size - 1), 1);
    const folded = remainder(position, period);
    return folded >= size ? period - folded : folded;
  }
  return position < 0 || position >= size ? PADDING : position;
}

/**
 * The position that a layer of padding reads along an axis of `size`. A negative pad crops first: what a mode takes from
 * the other end, or mirrors, is then taken from what is left.
 */
export function paddedPosition(place: number, [before, after]: [number, number], size: number, mode: string): number {
  const first = Math.max(-before, 0);
  const left = size + Math.min(before, 0) + Math.min(after, 0);
  const position = insidePadding(place - Math.max(before, 0), left, mode);
  return position === PADDING ? PADDING : position + first;
}

/** The input positions that adaptive pooling joins into output `place` of `outputs`. */
export function adaptiveWindow(place: number, size: number, outputs: number): Int32Array {
  const first = Math.floor((place * size) / outputs);
  const last = Math.ceil(((place + 1) * size) / outputs);
  return Int32Array.from({ length: last - first }, (_, n) => first + n);
}

function remainder(position: number, size: number): number {
  return ((position % size) + size) % size;
}
