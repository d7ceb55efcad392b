/**
 * The playground reads, measures and draws a sketch as Python does, word for word and bit for bit.
 *
 * `tests/cases/play.json` is what Python says; to write it anew: `.venv/bin/python -m tests.play.cases`.
 */
import { describe, expect, it } from "vitest";
import { writtenAll, type Block } from "../src/play/blocks";
import { fit, type Shape } from "../src/play/geometry";
import { parse } from "../src/play/language";
import { Mistake } from "../src/play/mistake";
import { PRESETS } from "../src/play/presets";
import { asNumber } from "../src/play/receptive";
import { told } from "../src/play/telling";
import { weightsOf } from "../src/play/weights";
import { preferences } from "../src/state/preferences.svelte";
import cases from "./cases/play.json";

function plain(block: Block): Record<string, unknown> {
  const { word: _word, places: _places, ...rest } = block;
  return { ...rest };
}

function refused(line: string): Mistake {
  try {
    fit(line, parse(line), cases.small as Shape);
  } catch (error) {
    if (error instanceof Mistake) return error;
  }
  throw new Error(`no mistake: ${line}`);
}

describe("the presets", () => {
  it("are the models of the tutorial", () => {
    expect(PRESETS).toEqual(cases.tutorial.map(({ sketch, seed, en, th }) => ({ sketch, seed, en, th })));
  });
});

describe("a sketch", () => {
  it.each(cases.lines)("$line says what Python reads in it", ({ line, blocks }) => {
    expect(parse(line).map(plain)).toEqual(blocks);
  });

  it.each(cases.lines)("$line is the same network when its blocks are written", ({ line, blocks }) => {
    expect(parse(writtenAll(parse(line))).map(plain)).toEqual(blocks);
  });

  it.each(cases.lines)("$line has the shapes, parameters and receptive fields that Python finds", ({ line, shape, layers }) => {
    const fits = fit(line, parse(line), shape as Shape);
    const found = fits.map(({ output, parameters, macs, field }) => ({
      output: [...output],
      parameters,
      macs,
      field: {
        size: [...field.size],
        stride: field.axes.map((axis) => asNumber(axis.stride)),
        start: field.axes.map((axis) => asNumber(axis.low)),
        whole: field.whole,
        exact: field.exact,
      },
    }));
    expect(found).toEqual(layers);
  });

  it.each(cases.wrong)("'$line' is refused in Python's words", (wrong) => {
    const { problem, expected, received, hint, column, width } = refused(wrong.line);
    expect({ line: wrong.line, problem: told(problem), expected: told(expected), received: told(received), hint: told(hint), column, width }).toEqual(wrong);
  });

  it.each(cases.wrong)("'$line' is refused in Thai too", ({ line }) => {
    const { problem, hint } = refused(line);
    preferences.language = "th";
    const words = [problem, hint].map(told);
    preferences.language = "en";
    for (const text of words.filter((one) => one)) expect(text).toMatch(/^[^{}]*[\u0e00-\u0e7f][^{}]*$/);
  });

  it.each(cases.weights)("$line with seed $seed has Python's weights, bit for bit", ({ line, seed, weights }) => {
    const fits = fit(line, parse(line), cases.small as Shape);
    const found = new Map<string, { shape: number[]; data: number[] }>();
    weightsOf(fits, seed).forEach((own, n) => {
      const name = fits[n]?.block.name ?? "";
      if (own) found.set(`${name}.weight`, { shape: own.kernel.shape, data: [...own.kernel.data.slice(0, 64)] });
      if (own?.bias) found.set(`${name}.bias`, { shape: own.bias.shape, data: [...own.bias.data.slice(0, 64)] });
    });
    expect(Object.fromEntries(found)).toEqual(weights);
  });
});
