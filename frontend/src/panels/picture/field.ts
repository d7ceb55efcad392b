/** The box of pixels that can reach one value: at once from the layer's facts, and how it lies on the picture. */
import type { BoxFact, FieldFact } from "../../source/facts";

/** Rows and columns, each (first, last), both inside. */
export interface Box {
  rows: [number, number];
  columns: [number, number];
}

export interface Size {
  rows: number;
  columns: number;
}

/** The unclipped box of the value at this place, which counts along the layer's spatial axes. */
export function boxAt(field: FieldFact, spatial: readonly number[], picture: Size): Box {
  const sizes = [picture.rows, picture.columns];
  const axes = field.size.map((_, axis): [number, number] => {
    const moved = (spatial[axis] ?? 0) * (field.stride[axis] ?? 0);
    return [(field.start[axis] ?? 0) + moved, (field.end[axis] ?? 0) + moved];
  });
  if (field.whole && axes.length === 0) return { rows: [0, (sizes[0] ?? 1) - 1], columns: [0, (sizes[1] ?? 1) - 1] };
  return fromAxes(axes, picture);
}

export function boxOf(fact: BoxFact, picture: Size): Box {
  return fromAxes(fact.unclipped, picture);
}

/** The last two axes are the picture's rows and columns; a sequence has columns alone. */
function fromAxes(axes: readonly (readonly number[])[], picture: Size): Box {
  const pair = (axis: readonly number[] | undefined, size: number): [number, number] => [axis?.[0] ?? 0, axis?.[1] ?? size - 1];
  return { rows: pair(axes.length > 1 ? axes.at(-2) : undefined, picture.rows), columns: pair(axes.at(-1), picture.columns) };
}

/** The part inside the picture; null where nothing of it is. */
export function clip(box: Box, picture: Size): Box | null {
  const rows: [number, number] = [Math.max(box.rows[0], 0), Math.min(box.rows[1], picture.rows - 1)];
  const columns: [number, number] = [Math.max(box.columns[0], 0), Math.min(box.columns[1], picture.columns - 1)];
  return rows[0] > rows[1] || columns[0] > columns[1] ? null : { rows, columns };
}

export function sizeOf(box: Box): Size {
  return { rows: box.rows[1] - box.rows[0] + 1, columns: box.columns[1] - box.columns[0] + 1 };
}

/** How many pixels the box reaches beyond each side of the picture. */
export function beyond(box: Box, picture: Size): { top: number; bottom: number; left: number; right: number } {
  return {
    top: Math.max(-box.rows[0], 0),
    bottom: Math.max(box.rows[1] - picture.rows + 1, 0),
    left: Math.max(-box.columns[0], 0),
    right: Math.max(box.columns[1] - picture.columns + 1, 0),
  };
}
