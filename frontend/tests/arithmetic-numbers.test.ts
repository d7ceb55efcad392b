/** What lies below the arithmetic: the error function, powers, printed numbers, sums, fractions, the largest of many. */
import { describe, expect, it } from "vitest";
import { erf } from "../src/arithmetic/erf";
import { asNumber, ceilOf, exactly, floorOf, fraction } from "../src/arithmetic/fraction";
import { power } from "../src/arithmetic/functions";
import { leading } from "../src/arithmetic/leading";
import { general, grouped, short, whole } from "../src/arithmetic/printing";
import { agreement, canOverflow, toEven } from "../src/arithmetic/rounding";
import { summed } from "../src/arithmetic/summing";
import numbers from "./cases/numbers.json";

describe("numbers as Python has them", () => {
  it("the error function, to four units in the last place of float64", () => {
    expect(numbers.erf.length).toBeGreaterThan(100);
    for (const [x, value] of numbers.erf as [number, number][])
      expect(Math.abs(erf(x) - value), `erf(${x})`).toBeLessThanOrEqual(8.9e-16 * Math.abs(value));
    expect([erf(NaN), erf(Infinity), erf(-Infinity), erf(0)]).toEqual([NaN, 1, -1, 0]);
  });

  it("powers of odd numbers", () => {
    for (const [base, exponent, value] of numbers.power as [unknown, unknown, unknown][])
      expect(power(Number(base), Number(exponent)) + 0, `${base} ^ ${exponent}`).toBe(Number(value) + 0);
  });

  it("prints them alike", () => {
    for (const [value, digits, text] of numbers.printed as [unknown, number, string][])
      expect(general(Number(value), digits), String(value)).toBe(text);
    expect([short(0.1), whole(-12), whole(2 ** 31), grouped(12), grouped(1234567)]).toEqual([
      ...["0.1", "-12", "2147483648", "12", "1,234,567"],
    ]);
  });

  it("sums in NumPy's order, to the last bit", () => {
    const terms = Float64Array.from({ length: 1000 }, (_, n) => (((n * n) % 1009) - 500) / 7);
    for (const [count, sum] of numbers.summed as [number, number][]) expect(summed(terms, 0, count)).toBe(sum);
  });

  it("fractions to the nearest number, downwards and upwards", () => {
    for (const [over, under, value] of numbers.fractions as [string, string, number][])
      expect(asNumber(fraction(BigInt(over), BigInt(under))), `${over} / ${under}`).toBe(value);
    for (const value of [0, -0.75, 2.5, -3, 1 / 3]) {
      expect(asNumber(exactly(value))).toBe(value);
      expect([floorOf(exactly(value)), ceilOf(exactly(value)) + 0]).toEqual([Math.floor(value), Math.ceil(value) + 0]);
    }
  });

  it("rounds halves to the even one", () => {
    expect([-2.5, -1.5, -0.5, 0.5, 1.5, 2.5, 2.6, NaN, Infinity].map((one) => toEven(one) + 0)).toEqual([
      ...[-2, -2, 0, 0, 2, 2, 3, NaN, Infinity],
    ]);
  });

  it("knows what is too large for a type", () => {
    expect(canOverflow(70000, 60000, "float16", null)).toBe(true);
    expect(canOverflow(0, -70000, "float16", "float32")).toBe(true);
    expect(canOverflow(70000, 60000, "float32", null)).toBe(false);
    expect(canOverflow(0, 3.38e38, "bfloat16", null)).toBe(true);
    expect(canOverflow(0, 3.3e38, "bfloat16", null)).toBe(false);
    expect(agreement(Infinity, 7e4, 1, true)).toBe(true);
    expect(agreement(2, 7e4, 1, true)).toBe(false);
  });
});

describe("the largest of many", () => {
  it("are those that a full sort finds, equals in their order, NaN last", () => {
    const sizes = Float64Array.from({ length: 5000 }, (_, n) => (n % 41 === 0 ? NaN : (n * 7919) % 600));
    sizes[4321] = Infinity;
    const allowed = Uint8Array.from(sizes, (_, n) => Number(n % 3 !== 0));
    const sorted = (places: number[]) =>
      places
        .filter((n) => !Number.isNaN(sizes[n]))
        .sort((a, b) => Number(sizes[b] === sizes[a] ? a - b : (sizes[b] as number) - (sizes[a] as number)));
    const all = [...sizes.keys()];
    expect(leading(sizes, 40)).toEqual(sorted(all).slice(0, 40));
    const held = all.filter((n) => allowed[n]);
    expect(leading(sizes, 40, allowed)).toEqual(sorted(held).slice(0, 40));
    expect(leading(Float64Array.of(NaN, 1, NaN), 5)).toEqual([1, 0, 2]);
    expect(leading(sizes, 5000).slice(-2)).toEqual(all.filter((n) => Number.isNaN(sizes[n])).slice(-2));
  });
});
