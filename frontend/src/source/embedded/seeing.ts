/** The pixels that can reach a value: by the tables of `convlens.arithmetic.reach`, which a report carries. */
import type { BoxFact, FieldFact } from "../facts";

/** What a value that sees nothing has for its least pixel. */
const NOTHING = 0x7fffffff;

export interface Table {
  shape: number[];
  data: Int32Array;
}

/** The box as the layers' sizes and strides say, as if the picture went on for ever. `index` has the channel in front. */
export function unclippedBox(field: FieldFact, index: number[]): [number, number][] {
  return field.size.map((_, axis) => {
    const place = index[axis + 1] ?? 0;
    const along = (field.stride[axis] as number) * place;
    return [Math.ceil((field.start[axis] as number) + along), Math.floor((field.end[axis] as number) + along)];
  });
}

/** One table for each axis of the picture; (0, -1) for a value that sees nothing. */
export function clippedBox(tables: Table[], index: number[]): [number, number][] {
  const ends = tables.map((table) => endsAt(table, index));
  if (ends.some(([least]) => least === NOTHING)) return ends.map(() => [0, -1]);
  return ends.map(([least, turned]) => [least, -turned]);
}

/** The least pixel, and the greatest with its sign turned. */
function endsAt(table: Table, index: number[]): [number, number] {
  let place = 0;
  table.shape.slice(1).forEach((size, axis) => (place = place * size + (size === 1 ? 0 : (index[axis] as number))));
  const half = table.data.length / 2;
  return [table.data[place] as number, table.data[half + place] as number];
}

/** The part of a box inside a picture of these sizes. */
export function cut(box: [number, number][], sizes: number[]): [number, number][] {
  return box.map(([first, last], axis) => [Math.max(first, 0), Math.min(last, (sizes[axis] as number) - 1)]);
}

export function boxFact(field: FieldFact, index: number[], tables: Table[] | null, exact: boolean, sizes: number[]): BoxFact {
  const unclipped = unclippedBox(field, index);
  if (!tables || tables.length === 0) return { unclipped, clipped: cut(unclipped, sizes), exact: false };
  return { unclipped, clipped: clippedBox(tables, index), exact };
}
