/** A curve over the steps of a training, and the numbers that stand under it. Pixels only. */
import type { Num } from "../../source/facts";

type Place = (place: number) => number;

export interface Curve {
  /** It goes on past a value that isn't known, and breaks off where one isn't finite: there the training diverged. */
  path: string;
  /** Where each step's value stands; null where it has none. */
  points: ([number, number] | null)[];
}

/** Null where fewer than two values are finite. `range`: what the bottom and the top stand for; else the values' own, from 0. */
export function curve(values: readonly (Num | null)[], x: Place, high: number, range?: readonly [number, number]): Curve | null {
  const known = values.filter((value): value is number => Number.isFinite(value));
  if (known.length < 2) return null;
  const [low, top] = range ?? [Math.min(0, ...known), Math.max(...known)];
  const span = top - low || 1;
  const inset = 4;
  const points = values.map((value, place): [number, number] | null =>
    typeof value !== "number" ? null : [x(place), inset + (1 - (value - low) / span) * (high - 2 * inset)],
  );
  return { path: pathOf(values, points), points };
}

/** A value alone between two gaps is a dash. */
function pathOf(values: readonly (Num | null)[], points: Curve["points"]): string {
  const parts: string[][] = [[]];
  points.forEach((point, place) => {
    if (point) parts.at(-1)?.push(`${point[0].toFixed(1)} ${point[1].toFixed(1)}`);
    else if (values[place] !== null) parts.push([]);
  });
  return parts.map((part) => (part.length > 0 ? `M${part.join("L")}${part.length === 1 ? "m-2.5 0h5" : ""}` : "")).join("");
}

/** As many of the numbers as have room, the first and the last among them. */
export function marksOf(numbers: readonly number[], x: Place, apart: number): { place: number; number: number; x: number }[] {
  const last = numbers.length - 1;
  const marks: { place: number; number: number; x: number }[] = [];
  let right = -Infinity;
  numbers.forEach((number, place) => {
    const across = x(place);
    if (place !== last && (across < right + apart || (place > 0 && across > x(last) - apart))) return;
    marks.push({ place, number, x: across });
    right = across;
  });
  return marks;
}
