/** Maximum pooling of a whole layer, an axis at a time: the maximum over a window is that of the maxima of its rows. */
import type { Pooling, Tensor } from "../../arithmetic/operations";
import { adaptiveWindow, tapsAt } from "../../arithmetic/windows";
import { sizeOf } from "./arrays";

export function pooledMaxima(operation: Pooling, outputs: number[], source: Tensor): Float32Array | null {
  const rank = operation.kernel_size.length;
  if (operation.mode !== "max" || source.shape.length !== 1 + rank || outputs.length !== 1 + rank) return null;
  const least = Number(operation.least);
  let values = source.data as Float32Array;
  const shape = [...source.shape];
  for (let axis = rank; axis >= 1; axis--) {
    const size = shape[axis] as number;
    const count = outputs[axis] as number;
    const windows = Array.from({ length: count }, (_, place) => windowAt(operation, axis - 1, size, place, count));
    const outer = sizeOf(shape.slice(0, axis));
    const inner = sizeOf(shape.slice(axis + 1));
    values = maximaAlong(values, [outer, size, inner], windows, least, operation.ignores_nan);
    shape[axis] = count;
  }
  return values;
}

function windowAt(operation: Pooling, axis: number, size: number, place: number, count: number): Int32Array {
  if (operation.whole) return Int32Array.from({ length: size }, (_, n) => n);
  const taps = operation.adaptive ? adaptiveWindow(place, size, count) : tapsAt(operation, axis, size, place);
  return taps.filter((position) => position >= 0);
}

type Shape = [outer: number, size: number, inner: number];

function maximaAlong(values: Float32Array, shape: Shape, windows: Int32Array[], least: number, ignoresNan: boolean): Float32Array {
  const [outer, size, inner] = shape;
  const found = new Float32Array(outer * windows.length * inner).fill(least);
  for (let n = 0; n < outer; n++) {
    windows.forEach((window, place) => {
      const to = (n * windows.length + place) * inner;
      for (const position of window) {
        const from = (n * size + position) * inner;
        for (let k = 0; k < inner; k++) {
          const value = values[from + k] as number;
          if (value > (found[to + k] as number) || (!ignoresNan && value !== value)) found[to + k] = value;
        }
      }
    });
  }
  return found;
}
