/**
 * Where a value stands: as an index into a layer's array (channels first), and as a place on the screen.
 *
 * A layer of any rank is shown as channels x slices x rows x columns: a vector has one value a channel, a sequence one
 * row, a volume one slice a depth. Axes before the last two are folded into slices.
 */
export interface Place {
  channel: number;
  slice: number;
  row: number;
  column: number;
}

/** The index of a place in an array of this shape. */
export function indexOf(shape: readonly number[], place: Place): number[] {
  if (shape.length === 0) return [];
  if (shape.length === 1) return [place.channel];
  if (shape.length === 2) return [place.channel, place.column];
  const slices: number[] = [];
  let rest = place.slice;
  for (const size of shape.slice(1, -2).reverse()) {
    slices.unshift(rest % size);
    rest = Math.floor(rest / size);
  }
  return [place.channel, ...slices, place.row, place.column];
}

/** The place of an index in an array of this shape; the inverse of `indexOf`. */
export function placeOf(shape: readonly number[], index: readonly number[]): Place {
  const at = (n: number) => index[n] ?? 0;
  if (shape.length <= 1) return { channel: at(0), slice: 0, row: 0, column: 0 };
  if (shape.length === 2) return { channel: at(0), slice: 0, row: 0, column: at(1) };
  let slice = 0;
  for (let axis = 1; axis < shape.length - 2; axis++) slice = slice * (shape[axis] ?? 1) + at(axis);
  return { channel: at(0), slice, row: at(shape.length - 2), column: at(shape.length - 1) };
}
