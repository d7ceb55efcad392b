/** Layers that only move values: pad, slice, reshape, transpose, concatenate, and what copies in an order of its own. */
import type { Merge, Pad, Reshape, Slice, Tensor } from "../../arithmetic/operations";
import { paddedPosition } from "../../arithmetic/windows";
import { sizeOf } from "./arrays";
import { copiedBy, eachRow, stridesOf } from "./strides";

/** Every output value at the places, one table an axis, of the source; -1 is `fill`. */
function picked(source: Tensor, tables: Int32Array[], fill: number): Float32Array {
  const shape = tables.map((table) => table.length);
  const own = stridesOf(source.shape);
  const data = source.data as Float32Array;
  const into = new Float32Array(sizeOf(shape));
  const numbers = shape.slice(0, -1).map(() => 0);
  const last = tables[tables.length - 1] as Int32Array;
  eachRow(shape, [], (at) => {
    let from = 0;
    let outside = false;
    for (let axis = 0; axis < numbers.length; axis++) {
      const place = (tables[axis] as Int32Array)[numbers[axis] as number] as number;
      outside ||= place < 0;
      from += place * (own[axis] as number);
    }
    for (let n = 0; n < last.length; n++) {
      const place = last[n] as number;
      into[at + n] = outside || place < 0 ? fill : (data[from + place] as number);
    }
    for (let axis = numbers.length - 1; axis >= 0; axis--) {
      numbers[axis] = (numbers[axis] as number) + 1;
      if ((numbers[axis] as number) < (shape[axis] as number)) break;
      numbers[axis] = 0;
    }
  });
  return into;
}

export function padded(operation: Pad, outputs: number[], source: Tensor): Float32Array | null {
  if (source.shape.length !== outputs.length || outputs.length !== 1 + operation.padding.length) return null;
  const pads = [operation.channels, ...operation.padding];
  const tables = outputs.map((count, axis) => {
    const [around, size] = [pads[axis] as [number, number], source.shape[axis] as number];
    return Int32Array.from({ length: count }, (_, n) => paddedPosition(n, around, size, operation.mode));
  });
  return picked(source, tables, Number(operation.value));
}

export function sliced(operation: Slice, outputs: number[], source: Tensor): Float32Array | null {
  if (operation.start.length !== source.shape.length - 1 || source.shape.length !== outputs.length) return null;
  const own = stridesOf(source.shape);
  const starts = [operation.first_channel, ...operation.start];
  const steps = [operation.channel_step, ...operation.step];
  const first = starts.reduce((sum, start, axis) => sum + start * (own[axis] as number), 0);
  return copiedBy(source.data as Float32Array, outputs, steps.map((step, axis) => step * (own[axis] as number)), first);
}

export function reshaped(operation: Reshape, outputs: number[], source: Tensor): Float32Array | null {
  const data = source.data as Float32Array;
  const own = stridesOf(source.shape);
  if (operation.axes.length) {
    if (operation.axes.length !== source.shape.length || outputs.length !== source.shape.length) return null;
    return copiedBy(data, outputs, operation.axes.map((axis) => own[axis] as number));
  }
  if (sizeOf(source.shape) !== sizeOf(outputs)) return null;
  if (!operation.channels_last) return data;
  const memory = source.shape.length > 1 ? copiedBy(data, lastly(source.shape), lastly(own)) : data;
  if (outputs.length < 2) return memory;
  const stored = stridesOf(lastly(outputs));
  return copiedBy(memory, outputs, [stored[stored.length - 1] as number, ...stored.slice(0, -1)]);
}

/** The first axis put last. */
function lastly(shape: readonly number[]): number[] {
  return [...shape.slice(1), shape[0] as number];
}

/** `origin` has, for each output value, the number of its input value. */
export function taken(source: Tensor, origin: Tensor): Float32Array {
  const into = new Float32Array(origin.data.length);
  for (let n = 0; n < into.length; n++) into[n] = source.data[origin.data[n] as number] as number;
  return into;
}

export function concatenated(operation: Merge, outputs: number[], sources: Tensor[]): Float32Array | null {
  const axis = operation.axis;
  if (axis === null || sources.some((source) => source.shape.length !== outputs.length)) return null;
  const into = new Float32Array(sizeOf(outputs));
  const outer = sizeOf(outputs.slice(0, axis));
  const whole = sizeOf(outputs.slice(axis));
  let before = 0;
  for (const source of sources) {
    const length = sizeOf(source.shape.slice(axis));
    for (let n = 0; n < outer; n++) into.set(source.data.subarray(n * length, (n + 1) * length), n * whole + before);
    before += length;
  }
  return before === whole ? into : null;
}
