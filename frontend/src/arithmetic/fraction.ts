/** Exact fractions: where a resized value lies is decided by them, as in Python. */

export interface Fraction {
  over: bigint;
  under: bigint; // > 0
}

export function fraction(over: number | bigint, under: number | bigint = 1): Fraction {
  const [top, bottom] = [BigInt(over), BigInt(under)];
  return bottom < 0n ? { over: -top, under: -bottom } : { over: top, under: bottom };
}

export const HALF = fraction(1, 2);
export const ONE = fraction(1);

/** A float64 as the fraction that it is. */
export function exactly(value: number): Fraction {
  let under = 1n;
  while (!Number.isInteger(value)) {
    value *= 2;
    under *= 2n;
  }
  return fraction(BigInt(value), under);
}

export function plus(one: Fraction, other: Fraction): Fraction {
  return fraction(one.over * other.under + other.over * one.under, one.under * other.under);
}

export function minus(one: Fraction, other: Fraction): Fraction {
  return plus(one, { over: -other.over, under: other.under });
}

export function by(one: Fraction, other: Fraction): Fraction {
  return fraction(one.over * other.over, one.under * other.under);
}

export function over(one: Fraction, other: Fraction): Fraction {
  return fraction(one.over * other.under, one.under * other.over);
}

export function floorOf(value: Fraction): number {
  const whole = value.over / value.under; // towards zero
  return Number(whole * value.under > value.over ? whole - 1n : whole);
}

export function ceilOf(value: Fraction): number {
  return -floorOf({ over: -value.over, under: value.under });
}

/** The nearest float64. */
export function asNumber(value: Fraction): number {
  const size = value.over < 0n ? -value.over : value.over;
  if (size < 2n ** 53n && value.under < 2n ** 53n) return Number(value.over) / Number(value.under);
  // 64 bits of the quotient and whether anything follows: then one rounding is all.
  const shift = BigInt(Math.max(0, 64 + value.under.toString(2).length - size.toString(2).length));
  const scaled = size << shift;
  const quotient = scaled / value.under;
  const sticky = quotient * value.under === scaled ? 0n : 1n;
  const found = Number((quotient << 1n) | sticky) / 2 ** (Number(shift) + 1);
  return value.over < 0n ? -found : found;
}
