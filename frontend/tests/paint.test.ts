/** Colours and scales: each byte and each index is what Python's drawings have. */
import { describe, expect, it } from "vitest";
import { css, inkOn, palette } from "../src/paint/colours";
import { indexes, indexOf, scaleFor } from "../src/paint/scale";
import type { Mode } from "../src/state/address";
import said from "./colours.json";

describe("the palettes", () => {
  it("are Python's, byte for byte", () => {
    expect([...palette(true)]).toEqual(said.diverging);
    expect([...palette(false)]).toEqual(said.sequential);
  });

  it("give a text that can be read on each colour", () => {
    expect(css(true, 119)).toBe("rgb(244 244 242)");
    expect(inkOn(true, 119)).toBe("#000");
    expect(inkOn(true, 0)).toBe("#fff");
    expect(inkOn(false, 0)).toBe("#fff");
    expect(inkOn(false, 238)).toBe("#000");
  });
});

describe("a scale", () => {
  it.each(said.cases)("from $minimum to $maximum, $mode, is Python's", (example) => {
    const scale = scaleFor(example.minimum, example.maximum, example.mode as Mode);
    expect(scale).toEqual(example.scale);
    const values = Float32Array.from(example.values, Number);
    expect([...indexes(values, scale)]).toEqual(example.indices);
  });

  it("stands for nothing where no value is finite", () => {
    const scale = scaleFor(null, null);
    expect(scale).toEqual({ minimum: 0, maximum: 0, diverging: false });
    expect(indexOf(NaN, scale)).toBe(248);
  });
});
