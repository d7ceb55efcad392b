/** A curve over the steps of a training, and the numbers that stand under it. Pixels only. */

type Place = (place: number) => number;

export interface Curve {
  path: string;
  /** Where each step's value stands; null where it has none. */
  points: ([number, number] | null)[];
}

/** Null where fewer than two values are known. `range`: what the bottom and the top stand for; else the values' own, from 0. */
export function curve(values: readonly (number | null)[], x: Place, high: number, range?: readonly [number, number]): Curve | null {
  const known = values.filter((value): value is number => value !== null && Number.isFinite(value));
  if (known.length < 2) return null;
  const [low, top] = range ?? [Math.min(0, ...known), Math.max(...known)];
  const span = top - low || 1;
  const inset = 4;
  const points = values.map((value, place): [number, number] | null =>
    value === null || !Number.isFinite(value) ? null : [x(place), inset + (1 - (value - low) / span) * (high - 2 * inset)],
  );
  const drawn = points.filter((point) => point !== null);
  const path = drawn.map(([across, down], n) => `${n === 0 ? "M" : "L"}${across.toFixed(1)} ${down.toFixed(1)}`).join("");
  return { path, points };
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
