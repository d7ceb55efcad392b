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

type Span = [from: number, to: number]; // `to` isn't included

/** Rows and columns of one map of a whole layer. */
export function partOf(data: Float32Array, planes: Planes, channel: number, slice: number, rows: Span, columns: Span): Part {
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
    for (let row = 0, from = first; row < rows; row++, from += stride) into.set(data.subarray(from, from + columns), at + row * columns);
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

/** What is wanted of a map: rows and columns `from` to `to` (not included), counted at `level`. */
export interface Wanted {
  level: number;
  rows: Span;
  columns: Span;
}

/** A part of a map of means at `level`: repeated where a finer level is wanted, averaged where a coarser one is. */
export function fromMeans(means: Part, level: number, wanted: Wanted, into: Float32Array, at: number): void {
  const [top, bottom] = wanted.rows;
  const [left, right] = wanted.columns;
  if (wanted.level >= level) {
    const scale = 2 ** (wanted.level - level);
    const rows = Math.min(bottom * scale, means.rows) - top * scale;
    const columns = Math.min(right * scale, means.columns) - left * scale;
    meansInto({ ...means, first: means.first + top * scale * means.stride + left * scale, rows, columns }, wanted.level - level, into, at);
    return;
  }
  const shift = level - wanted.level;
  for (let row = top, to = at; row < bottom; row++) {
    const from = means.first + (row >> shift) * means.stride;
    for (let n = left; n < right; n++) into[to++] = means.data[from + (n >> shift)] as number;
  }
}
