/** Tensors read by index: strides, windows over open meshes, broadcasting. Nothing is copied but what is asked for. */
import type { Tensor } from "./operations";

/** Stands for a place in the padding, where no input value lies. */
export const PADDING = -1;
/** Stands on an axis that one of several inputs doesn't have. */
export const NO_AXIS = -2;

/** Numbers in the natural shape of a window, float64. */
export interface Grid {
  shape: number[];
  data: Float64Array;
}

/** Positions along one axis of an input, in a shape that can be broadcast to a window's. */
export interface Places {
  shape: number[];
  data: Int32Array;
}

export function product(numbers: readonly number[]): number {
  return numbers.reduce((made, number) => made * number, 1);
}

export function sameShape(one: readonly number[], other: readonly number[]): boolean {
  return one.length === other.length && one.every((size, axis) => size === other[axis]);
}

/** The numbers 0, 1, ... below `count`, or from `first` on. */
export function numbered(count: number, first = 0): Int32Array {
  return Int32Array.from({ length: Math.max(count, 0) }, (_, n) => first + n);
}

/** How far apart in memory two neighbours along each axis are. */
export function stridesOf(shape: readonly number[]): number[] {
  const strides = new Array<number>(shape.length).fill(1);
  for (let axis = shape.length - 2; axis >= 0; axis--)
    strides[axis] = (strides[axis + 1] as number) * (shape[axis + 1] as number);
  return strides;
}

export function flatIndex(index: readonly number[], shape: readonly number[]): number {
  let flat = 0;
  for (let axis = 0; axis < shape.length; axis++) flat = flat * (shape[axis] as number) + (index[axis] as number);
  return flat;
}

export function indexOf(flat: number, shape: readonly number[]): number[] {
  const index = new Array<number>(shape.length);
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    const size = shape[axis] as number;
    index[axis] = flat % size;
    flat = Math.floor(flat / size);
  }
  return index;
}

export function valueAt(tensor: Tensor, index: readonly number[]): number {
  return tensor.data[flatIndex(index, tensor.shape)] as number;
}

/** Row `number` of a tensor's first axis: a filter's kernel, a unit's weights. */
export function rowOf(tensor: Tensor, number: number): Float64Array {
  const size = product(tensor.shape.slice(1));
  return Float64Array.from(tensor.data.subarray(number * size, (number + 1) * size));
}

/** The values at the open mesh of `axes`, one entry an axis of the source, and `fill` in the padding. */
export function gather(source: Tensor, axes: readonly Int32Array[], fill = 0): Grid {
  const strides = stridesOf(source.shape);
  let offsets: Int32Array = Int32Array.of(0);
  axes.forEach((axis, number) => {
    const stride = strides[number] as number;
    const wider = new Int32Array(offsets.length * axis.length);
    let next = 0;
    for (const offset of offsets)
      for (const place of axis) wider[next++] = offset < 0 || place === PADDING ? PADDING : offset + place * stride;
    offsets = wider;
  });
  const data = new Float64Array(offsets.length);
  for (let n = 0; n < data.length; n++) {
    const offset = offsets[n] as number;
    data[n] = offset < 0 ? fill : (source.data[offset] as number);
  }
  return { shape: axes.map((axis) => axis.length), data };
}

/** The axes of an open mesh as places: each of length 1 along all axes but its own. */
export function meshOf(axes: readonly Int32Array[]): Places[] {
  return axes.map((data, own) => ({ shape: axes.map((_, axis) => (axis === own ? data.length : 1)), data }));
}

/** One place for all of a window of so many axes. */
export function everywhere(place: number, rank: number): Places {
  return { shape: new Array<number>(rank).fill(1), data: Int32Array.of(place) };
}

/** For every entry of a window of `shape`, counted flat from `first` to before `last`, its place along this axis. */
export function spreadPlaces(places: Places, shape: readonly number[], first = 0, last = product(shape)): Int32Array {
  const own = stridesOf(places.shape);
  const steps = places.shape.map((size, axis) => (size > 1 ? (own[axis] as number) : 0));
  const spread = new Int32Array(last - first);
  const index = indexOf(first, shape);
  let at = index.reduce((sum, place, axis) => sum + place * (steps[axis] as number), 0);
  for (let n = 0; n < spread.length; n++) {
    spread[n] = places.data[at] as number;
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      index[axis] = (index[axis] as number) + 1;
      at += steps[axis] as number;
      if ((index[axis] as number) < (shape[axis] as number)) break;
      at -= (index[axis] as number) * (steps[axis] as number);
      index[axis] = 0;
    }
  }
  return spread;
}

/** Where NumPy's broadcasting reads an input of `shape` for the output value at `index`. */
export function broadcastIndex(index: readonly number[], shape: readonly number[]): number[] {
  const last = index.slice(index.length - shape.length);
  return shape.map((size, axis) => (size > 1 ? (last[axis] as number) : 0));
}

/** The shape that these broadcast to, or `null` where they don't fit. */
export function broadcastShapes(shapes: readonly (readonly number[])[]): number[] | null {
  const rank = Math.max(0, ...shapes.map((shape) => shape.length));
  const common = new Array<number>(rank).fill(1);
  for (const shape of shapes)
    for (let axis = 0; axis < shape.length; axis++) {
      const size = shape[axis] as number;
      const at = rank - shape.length + axis;
      if (size === 1) continue;
      if (common[at] !== 1 && common[at] !== size) return null;
      common[at] = size;
    }
  return common;
}
