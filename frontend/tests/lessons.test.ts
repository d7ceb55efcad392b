/**
 * The lessons say what Python says: sizes, parameters, fields, and every value of every layer.
 *
 * `tests/cases/lessons.json` is written by `.venv/bin/python -m tests.learn.cases`, which is held to it as well.
 */
import { describe, expect, it } from "vitest";
import { Lesson, sketchOf } from "../src/learn/lesson.svelte";
import { BOUNDS, LESSONS, TAUGHT, type Name, type Numbers, type Settings } from "../src/learn/lessons";
import { SIDE, typed } from "../src/learn/numbers";
import { plainly, questionOf, sizeInNumbers } from "../src/learn/questions";
import { sightOf, type Sheet } from "../src/learn/sheets";
import { convolutionParameters, denseParameters, dropped, fields, outputSize } from "../src/learn/sizes";
import { sceneOf } from "../src/learn/working";
import { parse } from "../src/play/language";
import kept from "./cases/lessons.json";

type Row = number[];
interface Value {
  name: Name;
  settings: Settings;
  inputs: Row[][];
  kernels: Row[][][];
  biases: number[];
  made: Row[];
  after: Row[] | null;
}
const CASES = kept as unknown as { sizes: Row[]; fields: Row[]; convolutions: Row[]; dense: Row[]; values: Value[] };

function bankOf(rows: Row[]): number[] {
  return Array.from({ length: SIDE * SIDE }, (_, n) => rows[Math.floor(n / SIDE)]?.[n % SIDE] ?? 99);
}

function numbersOf({ inputs, kernels, biases }: Value): Numbers {
  return { inputs: inputs.map(bankOf), kernels: kernels.map((filter) => filter.map(bankOf)), biases };
}

describe("what Python says", () => {
  it("of sizes", () => {
    for (const [size = 0, kernel = 0, stride = 0, dilation = 0, padding = 0, count, lost] of CASES.sizes) {
      const slide = { kernel, stride, dilation, padding };
      expect([outputSize(size, slide), dropped(size, slide)], JSON.stringify({ size, ...slide })).toEqual([count, lost]);
    }
  });

  it("of receptive fields", () => {
    for (const [kernel = 0, stride = 0, dilation = 0, layers = 0, field] of CASES.fields) {
      const slides = Array.from({ length: layers }, () => ({ kernel, stride, dilation, padding: 0 }));
      expect(fields(slides).at(-1)?.field, `${kernel} ${stride} ${dilation} ${layers}`).toBe(field);
    }
  });

  it("of parameters", () => {
    for (const [channels = 0, filters = 0, kernel = 0, all] of CASES.convolutions)
      expect(convolutionParameters(channels, filters, kernel)).toBe(all);
    for (const [inputs = 0, outputs = 0, all] of CASES.dense) expect(denseParameters(inputs, outputs)).toBe(all);
  });

  for (const [n, value] of CASES.values.entries())
    it(`of every value: ${value.name}, ${n}`, () => {
      const scene = sceneOf(value.name, value.settings, numbersOf(value));
      expect(scene.made.map(({ numbers }) => numbers)).toEqual(value.made);
      if (value.after === null) expect(scene.after).toBeNull();
      for (const [filter, after] of (value.after ?? []).entries())
        for (const [at, number] of after.entries()) expect(scene.after?.[filter]?.numbers[at]).toBeCloseTo(number, 12);
    });
});

describe("the dense layer", () => {
  it("adds up all inputs, each with its own weight", () => {
    const lesson = new Lesson("dense");
    const sheets = lesson.sight.read[0]?.filter((part): part is Sheet => typeof part !== "string") ?? [];
    const [input, weights] = sheets;
    const sum = input?.numbers.reduce((found, number, n) => found + number * (weights?.numbers[n] ?? NaN), 0);
    expect(lesson.value).toBe(sum);
    expect(weights?.numbers).toHaveLength(16);
  });
});

describe("a sight", () => {
  it("has its window where the arithmetic reads, at every step of every lesson", () => {
    for (const name of LESSONS) {
      const { start, numbers } = TAUGHT[name];
      if (name === "field" || name === "dense") continue;
      const own = numbers();
      const scene = sceneOf(name, start, own);
      for (let step = 0; step < scene.side ** 2; step++) {
        const [input] = sightOf(name, start, own, scene, step).read[0] as [Sheet];
        const across = input.columns + 2 * input.padding;
        const read = input.lit.map((cell) => {
          const [row, column] = [Math.floor(cell / across) - input.padding, (cell % across) - input.padding];
          return row < 0 || column < 0 || row >= input.rows || column >= input.columns ? 0 : input.numbers[row * input.columns + column];
        });
        const window = [...(scene.made[0]?.workings[step]?.window.data ?? [])];
        expect(read, `${name} ${step}`).toEqual(window.slice(0, read.length));
      }
    }
  });

  it("leads from a value of the last map to its field in the picture", () => {
    const { start, numbers } = TAUGHT.field;
    const scene = sceneOf("field", start, numbers());
    const [picture] = sightOf("field", start, numbers(), scene, 4).read[0] as [Sheet];
    expect(picture.box).toEqual({ row: 1, column: 1, rows: 5, columns: 5 });
  });
});

describe("a lesson", () => {
  it("begins with the tutorial's numbers", () => {
    expect(new Lesson("stride").question.answer).toBe(2);
    expect(new Lesson("channels").question.answer).toBe(84);
    expect(new Lesson("padding").question.answer).toBe(5);
    expect(new Lesson("field").question.answer).toBe(5);
    expect(new Lesson("dense").question.answer).toBe(64);
    expect(new Lesson("dilation").question.answer).toBe(5);
  });

  it("takes the right answer alone, and shows then", () => {
    const lesson = new Lesson("stride");
    expect([lesson.answer(3), lesson.revealed]).toEqual([false, false]);
    expect([lesson.answer(2), lesson.revealed]).toEqual([true, true]);
  });

  it("keeps its numbers when its size changes, and its window inside", () => {
    const lesson = new Lesson("convolution");
    const input = lesson.sight.read[0]?.[0] as Sheet;
    lesson.type(input, 4, 4, 9);
    lesson.goTo(8);
    lesson.countBy("size", -1);
    expect([lesson.step, lesson.count]).toEqual([3, 4]);
    lesson.countBy("size", 1);
    expect((lesson.sight.read[0]?.[0] as Sheet).numbers[24]).toBe(9);
  });

  it("never counts so far that nothing is left", () => {
    for (const name of LESSONS)
      for (const what of TAUGHT[name].counted)
        for (const by of [-1, 1]) {
          const lesson = new Lesson(name);
          for (let n = 0; n < 20; n++) lesson.countBy(what, by);
          expect(lesson.count, `${name} ${what} ${by}`).toBeGreaterThan(0);
          expect(lesson.value === null || Number.isFinite(lesson.value)).toBe(true);
          expect(lesson.settings[what]).toBeGreaterThanOrEqual(BOUNDS[what][0]);
          expect(lesson.settings[what]).toBeLessThanOrEqual(BOUNDS[what][1]);
        }
  });

  it("drags the window to the pointer", () => {
    const lesson = new Lesson("stride");
    lesson.dragTo(4.9, 4.9);
    expect(lesson.step).toBe(3);
    lesson.dragTo(-3, 4.9);
    expect(lesson.step).toBe(1);
  });

  it("says itself as a sketch that the playground reads", () => {
    for (const name of LESSONS) expect(parse(new Lesson(name).sketch).length).toBeGreaterThan(0);
    expect(new Lesson("stride").sketch).toBe("conv 1 3x3 stride 2");
    expect(new Lesson("activation").sketch).toBe("conv 1 3x3 | relu");
    expect(sketchOf("pooling", { ...TAUGHT.pooling.start, pool: "average", stride: 1 })).toBe("avgpool 2x2 stride 1");
    expect(sketchOf("field", TAUGHT.field.start)).toBe("conv 1 3x3 | conv 1 3x3");
  });
});

describe("formulas", () => {
  it("say sizes with their numbers", () => {
    const slide = { kernel: 3, stride: 1, dilation: 1, padding: 0 };
    expect(sizeInNumbers(5, slide)).toBe("5 − 3 + 1 = 3");
    expect(sizeInNumbers(5, { ...slide, stride: 2 })).toBe("(5 − 3) / 2 + 1 = 2");
    expect(sizeInNumbers(6, { ...slide, stride: 2, padding: 1 })).toBe("⌊(6 + 2 × 1 − 3) / 2⌋ + 1 = 3");
  });

  it("say a real layer's size as plainly as a lesson's", () => {
    expect(plainly("floor((1440 + 0 + 0 - 1*(3-1) - 1) / 1) + 1", 1438)).toBe("1440 − 3 + 1 = 1438");
    expect(plainly("floor((224 + 3 + 3 - 1*(7-1) - 1) / 2) + 1", 112)).toBe("⌊(224 + 2 × 3 − 7) / 2⌋ + 1 = 112");
    expect(plainly("floor((224 + 0 + 1 - 1*(3-1) - 1) / 2) + 1", 112)).toBeNull(); // not the same on both sides
    expect(plainly("floor((1440 + 0 + 0 - 1*(3-1) - 1) / 1) + 1", 1439)).toBeNull();
    expect(plainly("3*3*3*3 + 3", 84)).toBeNull();
  });

  it("say the activation of the window where it stands", () => {
    const lesson = new Lesson("activation");
    const { answer, formulas } = questionOf("activation", lesson.settings, lesson.scene, 0);
    expect([answer, ...formulas.map(({ text }) => text)]).toEqual([0, "0 − 2 = −2", "ReLU(−2) = 0"]);
  });
});

describe("typed numbers", () => {
  it.each([["2", 2], ["−1.5", -1.5], ["0,5", 0.5], [" -3 ", -3], [".5", 0.5]])("%s", (text, value) => expect(typed(text)).toBe(value));
  it.each(["", "-", "two", "1e9", "99999999", "1.2.3"])("not %s", (text) => expect(typed(text)).toBeNull());
});
