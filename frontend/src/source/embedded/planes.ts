/**
 * Maps in pieces, and at several levels of detail: the twin of `convlens.lens.tiles`.
 *
 * A layer is looked at as (channels, slices, rows, columns). Level 0 is the values themselves; one value of level n is the
 * mean of the (up to) 2^n x 2^n values that it stands for, summed in float64.
 */
export interface Planes {
  channels: number;
  slices: number;
  rows: number;
  columns: number;
}

export function planesOf(shape: readonly number[]): Planes {
  const [first = 1] = shape;
  if (shape.length < 2) return { channels: first, slices: 1, rows: 1, columns: 1 };
  const columns = shape[shape.length - 1] as number;
  if (shape.length === 2) return { channels: first, slices: 1, rows: 1, columns };
  const slices = shape.slice(1, -2).reduce((product, size) => product * size, 1);
  return { channels: first, slices, rows: shape[shape.length - 2] as number, columns };
}

/** A part of one map: the first value in `data`, and how far from one row to the next. */
export interface Part {
  data: Float32Array;
  first: number;
  stride: number;
  rows: number;
  columns: number;
}

/** Rows and columns `from` to `to` (not included) of one map of a whole layer. */
export function partOf(data: Float32Array, planes: Planes, channel: number, slice: number, rows: [number, number], columns: [number, number]): Part {
  const { slices, rows: high, columns: wide } = planes;
  const start = ((channel * slices + slice) * high + rows[0]) * wide + columns[0];
  return { data, first: start, stride: wide, rows: rows[1] - rows[0], columns: columns[1] - columns[0] };
}

export function reduced(length: number, level: number): number {
  return Math.ceil(length / 2 ** level);
}

/** Means over blocks of 2^level x 2^level; those at the end may be smaller. Written into `into` from `at` on. */
export function meansInto(part: Part, level: number, into: Float32Array, at: number): void {
  const { data, first, stride, rows, columns } = part;
  if (level === 0) {
    for (let row = 0; row < rows; row++) into.set(data.subarray(first + row * stride, first + row * stride + columns), at + row * columns);
    return;
  }
  const side = 2 ** level;
  const wide = reduced(columns, level);
  const strip = new Float64Array(columns);
  for (let block = 0; block * side < rows; block++) {
    const tall = Math.min(side, rows - block * side);
    strip.fill(0);
    for (let row = 0; row < tall; row++) {
      const from = first + (block * side + row) * stride;
      for (let n = 0; n < columns; n++) strip[n] = (strip[n] as number) + (data[from + n] as number);
    }
    for (let n = 0; n < wide; n++) {
      const end = Math.min((n + 1) * side, columns);
      let sum = 0;
      for (let k = n * side; k < end; k++) sum += strip[k] as number;
      into[at + block * wide + n] = sum / (tall * (end - n * side));
    }
  }
}

/** A map of means at `level`, repeated where a finer level is asked for, averaged where a coarser one is. */
export function fromMeans(means: Part, level: number, wanted: number, rows: number, columns: number, into: Float32Array, at: number): void {
  if (wanted >= level) {
    meansInto(means, wanted - level, into, at);
    return;
  }
  const shift = level - wanted;
  for (let row = 0; row < rows; row++) {
    const from = means.first + (row >> shift) * means.stride;
    for (let n = 0; n < columns; n++) into[at + row * columns + n] = means.data[from + (n >> shift)] as number;
  }
}
