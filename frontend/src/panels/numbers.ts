/**
 * Numbers as they are shown: a few significant digits in place, every digit on demand, and sums that add up as printed.
 */
import type { Num } from "../source/facts";

const MINUS = "−";
/** Decimals beyond which nothing is printed, and the magnitude beyond which decimals say nothing. */
const MOST_DECIMALS = 12;
const TOO_LARGE = 1e15;

/** What was typed into a field of numbers, as a program reads it: a comma is a point, and either minus the keyboard's. */
export function keyed(text: string): string {
  return text.trim().replace("−", "-").replace(",", ".");
}

/** A number from the wire, where what JSON can't hold travels as its name. */
export function real(value: Num | null): number {
  return value === null ? NaN : Number(value);
}

/** At most `digits` significant digits: `0.25`, `−1234`, `1.5e−7`, `∞`, `NaN`. */
export function short(value: Num | null, digits = 4): string {
  const number = real(value);
  if (!Number.isFinite(number)) return unbounded(number);
  if (number === 0) return "0";
  const size = Math.floor(Math.log10(Math.abs(number)));
  if (size < -4 || size >= Math.max(digits, 6)) {
    const text = number.toExponential(digits - 1);
    return signed((same(text, number) ? text.replace(/\.?0+e/, "e") : text).replace("e+", "e"));
  }
  // Large whole numbers keep all of their digits before the point: 123456 doesn't become 123500.
  const text = size >= digits ? number.toFixed(0) : number.toPrecision(digits);
  return signed(same(text, number) && text.includes(".") ? text.replace(/\.?0+$/, "") : text);
}

/** Every digit that tells a value from its neighbours: nine where it is a float32, else as many as float64 needs. */
export function full(value: Num | null): string {
  const number = real(value);
  if (!Number.isFinite(number)) return unbounded(number);
  if (Math.fround(number) !== number) return signed(String(number));
  return signed(String(Number(number.toPrecision(9))));
}

/** In exponents, two decimals: what differences and their bounds are told in. */
export function tiny(value: Num | null): string {
  const number = real(value);
  if (!Number.isFinite(number)) return unbounded(number);
  return number === 0 ? "0" : signed(number.toExponential(2).replace("e+", "e"));
}

/** Decimals that give the largest of these numbers so many significant digits; none where all are whole and short. */
export function decimalsFor(numbers: Iterable<number>, digits: number): number {
  let largest = 0;
  let whole = true;
  for (const number of numbers) {
    if (!Number.isFinite(number)) continue;
    largest = Math.max(largest, Math.abs(number));
    whole &&= Number.isInteger(number);
  }
  if (whole && largest < 10 ** (digits + 2)) return 0;
  return Math.min(Math.max(digits - 1 - Math.floor(Math.log10(largest)), 0), MOST_DECIMALS);
}

/** With exactly so many decimals and never as a negative zero. */
export function fixed(value: Num | null, decimals: number): string {
  const number = real(value);
  if (!Number.isFinite(number)) return unbounded(number);
  if (Math.abs(number) >= TOO_LARGE) return short(number, 6);
  const text = number.toFixed(decimals);
  return signed(/[1-9]/.test(text) ? text : text.replace("-", ""));
}

/** What is missing from the printed `parts` to the printed `whole`, as printed; null where nothing is, or none can say. */
export function roundingOf(parts: readonly number[], whole: number, decimals: number): string | null {
  const sum = unitsOf(parts, decimals);
  const all = unitsOf([whole], decimals);
  if (sum === null || all === null || sum === all) return null;
  return fixed(Number(all - sum) / 10 ** decimals, decimals);
}

/** The sum of numbers as they are printed, as printed. */
export function printedSum(parts: readonly number[], decimals: number): string {
  const sum = unitsOf(parts, decimals);
  if (sum === null) return short(parts.reduce((left, part) => left + part, 0), 6);
  return fixed(Number(sum) / 10 ** decimals, decimals);
}

/** A sum of printed numbers in units of their last decimal; null where one of them has no such print. */
function unitsOf(parts: readonly number[], decimals: number): bigint | null {
  if (parts.some((number) => !Number.isFinite(number) || Math.abs(number) >= TOO_LARGE)) return null;
  return parts.reduce((sum, part) => sum + BigInt(part.toFixed(decimals).replace(".", "")), 0n);
}

/** A whole number with its thousands apart: `12,544`. */
export function count(value: number): string {
  return String(value).replace(/\B(?=(\d{3})+$)/g, ",");
}

function unbounded(number: number): string {
  if (Number.isNaN(number)) return "NaN";
  return number > 0 ? "∞" : `${MINUS}∞`;
}

function signed(text: string): string {
  return text.replaceAll("-", MINUS);
}

/** Whether a print is the number itself, so that its last zeros say nothing. */
function same(text: string, number: number): boolean {
  return Number(text) === number || Math.fround(Number(text)) === number;
}
