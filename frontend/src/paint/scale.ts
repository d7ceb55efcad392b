/**
 * What the first and the last colour stand for, and which colour a value takes: as the drawings that Python makes.
 *
 * A diverging scale has zero exactly in the middle; the arithmetic is done in float32, so that a value has the same
 * colour here, on the graphics card and in a file.
 */
import type { Mode } from "../state/address";
import { COLOURS, MIDDLE, MINUS_INFINITY, NOT_A_NUMBER, PLUS_INFINITY } from "./colours";

export interface Scale {
  readonly minimum: number;
  readonly maximum: number;
  readonly diverging: boolean;
}

/** The scale of values between two finite extremes; both null where there is no finite value. */
export function scaleFor(minimum: number | null, maximum: number | null, mode: Mode = "auto"): Scale {
  if (minimum === null || maximum === null) return { minimum: 0, maximum: 0, diverging: mode === "diverging" };
  if (mode === "diverging" || (mode === "auto" && minimum < 0)) {
    const limit = Math.max(Math.abs(minimum), Math.abs(maximum));
    return { minimum: -limit, maximum: limit, diverging: true };
  }
  const lowest = mode === "auto" ? 0 : minimum;
  return { minimum: Math.min(lowest, maximum), maximum, diverging: false };
}

/** How a scale turns a value into an index: `rint((value - origin) * factor) + offset`. */
export interface Steps {
  origin: number;
  factor: number;
  offset: number;
  /** Whether float32 can hold the factor and the difference; else the sum is done in float64. */
  single: boolean;
}

export function stepsOf(scale: Scale): Steps {
  const span = scale.diverging
    ? Math.max(Math.abs(scale.minimum), Math.abs(scale.maximum))
    : scale.maximum - scale.minimum;
  const factor = span > 0 ? (scale.diverging ? MIDDLE : COLOURS - 1) / span : 0;
  const single = span > 1e-30 && span < 1e38;
  const round = single ? Math.fround : Number;
  return {
    origin: round(scale.diverging ? 0 : scale.minimum),
    factor: round(factor),
    offset: scale.diverging ? MIDDLE : 0,
    single,
  };
}

/** The palette index of every value. */
export function indexes(values: ArrayLike<number>, scale: Scale, into = new Uint8Array(values.length)): Uint8Array {
  const { origin, factor, offset, single } = stepsOf(scale);
  const round = single ? Math.fround : Number;
  const last = COLOURS - 1;
  for (let n = 0; n < values.length; n++) {
    const value = values[n] as number;
    if (Number.isFinite(value)) {
      const step = rint(round(round(value - origin) * factor)) + offset;
      into[n] = step < 0 ? 0 : step > last ? last : step;
    } else {
      into[n] = value > 0 ? PLUS_INFINITY : value < 0 ? MINUS_INFINITY : NOT_A_NUMBER;
    }
  }
  return into;
}

/** The palette index of one value. */
export function indexOf(value: number, scale: Scale): number {
  return indexes([Math.fround(value)], scale)[0] ?? NOT_A_NUMBER;
}

/** To the nearest whole number, halves to the even one, as NumPy and the graphics card do. */
function rint(value: number): number {
  const below = Math.floor(value);
  const rest = value - below;
  if (rest < 0.5) return below;
  return rest > 0.5 || below % 2 !== 0 ? below + 1 : below;
}
