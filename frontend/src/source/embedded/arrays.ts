/** The arrays of a report's file, out of their codings. */
import { widened } from "../npy";
import type { Blobs } from "./blobs";
import type { ArrayFact } from "./contents";
import { readPng } from "./png";

export function sizeOf(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1);
}

/** Numbers as float32; `i32` is for {@link integersOf}. */
export async function valuesOf(blobs: Blobs, array: ArrayFact): Promise<Float32Array> {
  const count = sizeOf(array.shape);
  if (array.coding === "pixels") return fromPixels(blobs, array);
  const bytes = await blobs.inflated(array.blob);
  switch (array.coding) {
    case "f32":
      return new Float32Array(joined(bytes, 4, count).buffer);
    case "f16":
      return widened(new Uint16Array(joined(bytes, 2, count).buffer));
    case "i32":
      return Float32Array.from(new Int32Array(joined(bytes, 4, count).buffer));
    case "q8":
      return scaled(bytes, array.shape);
  }
}

export async function integersOf(blobs: Blobs, array: ArrayFact): Promise<Int32Array> {
  if (array.coding !== "i32") throw new Error(`Whole numbers were expected, not ${array.coding}`);
  return new Int32Array(joined(await blobs.inflated(array.blob), 4, sizeOf(array.shape)).buffer);
}

/** First bytes of all values, then second bytes, ... put together again. */
export function joined(planes: Uint8Array, width: number, count: number): Uint8Array<ArrayBuffer> {
  if (planes.length !== width * count) throw new Error(`An array of ${width * count} bytes was expected, this one has ${planes.length}`);
  const bytes = new Uint8Array(width * count);
  for (let plane = 0; plane < width; plane++) {
    const from = plane * count;
    for (let n = 0, to = plane; n < count; n++, to += width) bytes[to] = planes[from + n] as number;
  }
  return bytes;
}

/** A float32 scale for each entry of the first axis, then an int8 for every value. */
function scaled(bytes: Uint8Array<ArrayBuffer>, shape: number[]): Float32Array {
  const entries = shape[0] ?? 1;
  const count = sizeOf(shape);
  if (bytes.length !== 4 * entries + count) throw new Error("An array of 8 bits a value breaks off");
  const scales = new Float32Array(bytes.buffer, 0, entries);
  const small = new Int8Array(bytes.buffer, 4 * entries, count);
  const each = entries ? count / entries : 0;
  const values = new Float32Array(count);
  for (let n = 0; n < count; n++) values[n] = (scales[Math.floor(n / each)] as number) * (small[n] as number);
  return values;
}

/** Channel n of the array is table[n][the picture's channel from[n]]. */
async function fromPixels(blobs: Blobs, array: ArrayFact): Promise<Float32Array> {
  if (array.png === undefined || array.from === undefined) throw new Error("A picture was expected with this array");
  const [bytes, pixels] = await Promise.all([blobs.inflated(array.blob), blobs.plain(array.png).then(readPng)]);
  const tables = new Float32Array(bytes.buffer);
  const each = pixels.rows * pixels.columns;
  if (tables.length !== 256 * array.from.length || sizeOf(array.shape) !== each * array.from.length) {
    throw new Error("A picture and its array differ in size");
  }
  const values = new Float32Array(each * array.from.length);
  array.from.forEach((channel, number) => {
    const table = tables.subarray(256 * number, 256 * (number + 1));
    for (let n = 0, from = channel, to = number * each; n < each; n++, from += pixels.channels) {
      values[to + n] = table[pixels.data[from] as number] as number;
    }
  });
  return values;
}
