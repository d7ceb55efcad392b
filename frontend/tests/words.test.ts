import { beforeEach, describe, expect, it } from "vitest";
import { statisticsOf } from "../src/panels/words/statistics";
import { signs, written } from "../src/panels/words/wording";
import { preferences } from "../src/state/preferences.svelte";

const line = (what: string, formula: string, terms: string, value: number) => written({ what, formula, terms, value, text: "", latex: "" });
const SIZE = "floor((size + before + after - dilation*(kernel-1) - 1) / stride) + 1";
const COUNT = "kernel rows * kernel columns * channels * filters + biases";

describe("a derivation in the page's words", () => {
  beforeEach(() => preferences.setLanguage("en"));

  it("begins with the shortest form of a size; the rule and all of its numbers follow", () => {
    expect(line("rows", SIZE, "floor((1440 + 0 + 0 - 1*(3-1) - 1) / 1) + 1", 1438)).toEqual({
      what: "rows",
      short: "1440 − 3 + 1 = 1438",
      rules: ["⌊(size + padding before + padding after − dilation × (kernel − 1) − 1) / stride⌋ + 1", "⌊(1440 + 0 + 0 − 1 × (3 − 1) − 1) / 1⌋ + 1 = 1438"],
    });
  });

  it("puts a word at each factor of the parameters", () => {
    expect(line("parameters", COUNT, "3*3*3*3 + 3", 84)).toMatchObject({ short: "3 filters × (3 channels × 3 rows × 3 columns) + 3 biases = 84", rules: [] });
  });

  it("says what is no convolution's by its rule", () => {
    expect(line("parameters", "scale + shift", "64 + 64", 128)).toEqual({ what: "parameters", short: "64 + 64 = 128", rules: ["scale + shift"] });
    expect(line("parameters", "kernel", "3*3*3*3", 81).short).toBe("3 × 3 × 3 × 3 = 81");
  });

  it("speaks Thai", () => {
    preferences.setLanguage("th");
    expect(line("bytes of the maps", "channels * rows * columns * bytes of a value", "3*2*2 * 4", 48).rules[0]).not.toMatch(/[a-z]/);
    const { what, short, rules } = line("rows", SIZE, "floor((1438 + 0 + 0 - 1*(5-1) - 1) / 5) + 1", 287);
    expect([what, short]).toEqual(["แถว", "⌊(1438 − 5) / 5⌋ + 1 = 287"]);
    expect(rules[0]).not.toMatch(/[a-z]/);
  });

  it("writes a formula as by hand", () => {
    expect(signs("ceil((0+1)*7 / 3) - floor(0*7 / 3)")).toBe("⌈(0 + 1) × 7 / 3⌉ − ⌊0 × 7 / 3⌋");
    expect(signs("7 + -1 + -2")).toBe("7 + −1 + −2");
  });
});

describe("what a layer's maps hold", () => {
  it("has a share of zeros, and a number of values that aren't finite", () => {
    const map = { layer: "relu", shape: [1, 10, 20], channels: 1, slices: 1, rows: 10, columns: 20, levels: 1, strongest: 0, minimum: 0, maximum: 3, mean: 1, deviation: 1, zeros: 0.25, nan: 2, infinite: 0, constant: false };
    const parts = statisticsOf(map).slice(4);
    expect(parts.map(([, shown, whole]) => [shown, whole])).toEqual([["25 % of 200 values", "50"], ["1 % of 200 values", "2"], ["0", "0"]]);
  });
});
