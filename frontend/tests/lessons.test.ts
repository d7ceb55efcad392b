/**
 * The lessons say what Python says: sizes, parameters, fields, and every value of every layer.
 *
 * `tests/cases/lessons.json` is written by `.venv/bin/python -m tests.learn.cases`, which is held to it as well.
 */
import { describe, expect, it } from "vitest";
import { parse as opened } from "../src/learn/address";
import { Lesson, sketchOf } from "../src/learn/lesson.svelte";
import { countedInWords, parametersInWords } from "../src/learn/parameters";
import { candidates, linesOf } from "../src/learn/seen";
import type { DerivationFact, LayerFact } from "../src/source/facts";
import { BOUNDS, LESSONS, TAUGHT, type Name, type Numbers, type Settings } from "../src/learn/lessons";
import { plain, SIDE, typed } from "../src/learn/numbers";
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
    const [picture] = sightOf("field", start, numbers(), scene, 4).made as [Sheet];
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

  it("put the number into the activation's rule", () => {
    const lesson = new Lesson("activation");
    lesson.change({ activation: "leaky_relu" });
    expect(lesson.question.formulas.at(-1)?.text).toBe("leaky ReLU(−2) = 0.3 × (−2) = −0.6");
    lesson.change({ activation: "sigmoid" });
    expect(lesson.question.formulas.at(-1)?.text).toBe("sigmoid(−2) = 1 / (1 + e^2) = 0.11920");
    lesson.change({ activation: "tanh" });
    expect(lesson.question.formulas.at(-1)?.text).toBe("tanh(−2) = (e^(−2) − e^2) / (e^(−2) + e^2) = −0.96403");
  });

  it("have a word at each factor of a parameter count, and no commas", () => {
    expect(new Lesson("channels").question.formulas.map(({ text }) => text)).toEqual(["3 filters × (3 channels × 3 rows × 3 columns) + 3 biases = 84"]);
    expect(parametersInWords({ filters: 1, channels: 1, rows: 20, columns: 20, bias: true })).toBe("1 filter × (1 channel × 20 rows × 20 columns) + 1 bias = 401");
    expect(countedInWords("3*5*8*64", 7680)).toBe("64 filters × (8 channels × 3 rows × 5 columns) = 7680");
    expect(countedInWords("3*3*3*3 + 3", 85)).toBeNull();
    const dense = new Lesson("dense");
    for (let n = 0; n < 6; n++) dense.countBy("size", 1);
    expect(dense.question.formulas[0]?.text).toBe("10 × 10 × 8 × 8 = 6400");
  });
});

describe("typed numbers", () => {
  it("make values without the tail of binary fractions", () => expect(plain(0.3 * -9)).toBe(-2.7));
  it.each([["2", 2], ["−1.5", -1.5], ["0,5", 0.5], [" -3 ", -3], [".5", 0.5]])("%s", (text, value) => expect(typed(text)).toBe(value));
  it.each(["", "-", "two", "1e9", "99999999", "1.2.3"])("not %s", (text) => expect(typed(text)).toBeNull());
});

describe("a lesson's address", () => {
  it("is bare as the lesson begins", () => {
    for (const name of LESSONS) expect(new Lesson(name).address).toBe(`#/learn/${name}`);
  });

  it("holds what differs, and opens so again", () => {
    const lesson = new Lesson("stride");
    lesson.countBy("size", 2);
    lesson.countBy("padding", 1);
    lesson.type(lesson.sight.read[0]?.[0] as Sheet, 1, 2, -0.5);
    lesson.type(lesson.sight.read[0]?.[2] as Sheet, 0, 1, 9);
    lesson.goTo(3);
    expect(lesson.address).toBe("#/learn/stride?input=7x7&padding=1&at=4&numbers=x0,1,2,-0.5_w0,0,0,1,9");
    const again = new Lesson("stride");
    again.open(opened("stride", lesson.address));
    expect(again.address).toBe(lesson.address);
    expect([again.settings, again.numbers, again.value]).toEqual([lesson.settings, lesson.numbers, lesson.value]);
  });

  it("comes back from every lesson's settings and drawn numbers", () => {
    for (const name of LESSONS) {
      const lesson = new Lesson(name);
      for (const what of TAUGHT[name].counted) lesson.countBy(what, -1);
      if (name === "channels") lesson.change({ shown: 1 });
      if (name === "pooling") lesson.change({ pool: "average" });
      if (name === "activation") lesson.change({ activation: "tanh" });
      if (name === "dense") lesson.change({ dense: false });
      lesson.redraw();
      lesson.redraw();
      if (lesson.biased) lesson.setBias(0.25);
      const again = new Lesson(name);
      again.open(opened(name, lesson.address));
      expect([again.settings, again.numbers], lesson.address).toEqual([lesson.settings, lesson.numbers]);
    }
  });

  it.each([
    "input=5x7",
    "input=99x99",
    "input=2x2",
    "kernel=0x0",
    "kernel=5",
    "stride=-1",
    "stride=1e1",
    "padding=9",
    "layers=3",
    "pool=average",
    "layer=dense",
    "filter=4",
    "activation=tanh",
    "seed=x",
    "at=0",
    "numbers=x9,0,0,1_w0,0,99,0,1_b7,1_x0,1,1e9_q0,0,0,1_x0,0,0,two",
  ])("keeps the beginning where it says %s", (query) => {
    const lesson = new Lesson("stride");
    lesson.open(opened("stride", `#/learn/stride?${query}`));
    expect(lesson.address).toBe("#/learn/stride");
    expect(lesson.numbers).toEqual(TAUGHT.stride.numbers());
  });

  it("stays inside where it names a window that isn't there", () => {
    const lesson = new Lesson("stride");
    lesson.open(opened("stride", "#/learn/stride?at=400"));
    expect(lesson.step).toBe(3);
  });
});

describe("the same in a network", () => {
  const fact = (terms: string, value: number): DerivationFact => ({ lines: [{ what: "rows", formula: "", terms, value }] }) as unknown as DerivationFact;
  const plain = fact("floor((1440 + 0 + 0 - 1*(3-1) - 1) / 1) + 1", 1438);

  it("is told of a layer that does it, and of no other", () => {
    for (const name of ["padding", "stride", "dilation"] as const) expect(linesOf(name, plain)).toEqual([]);
    expect(linesOf("convolution", plain)).toHaveLength(1);
    expect(linesOf("padding", fact("floor((9 + 1 + 1 - 1*(3-1) - 1) / 1) + 1", 9))).toHaveLength(1);
    expect(linesOf("stride", fact("floor((9 + 0 + 0 - 1*(3-1) - 1) / 2) + 1", 4))).toHaveLength(1);
    expect(linesOf("dilation", fact("floor((9 + 0 + 0 - 2*(3-1) - 1) / 1) + 1", 5))).toHaveLength(1);
  });

  it("is looked for in the chosen layer first", () => {
    const layers = [
      { name: "one", kind: "convolution" },
      { name: "pool", kind: "pooling" },
      { name: "two", kind: "convolution" },
    ] as LayerFact[];
    expect(candidates("stride", layers, layers[2] ?? null).map(({ name }) => name)).toEqual(["two", "one"]);
    expect(candidates("pooling", layers, layers[2] ?? null).map(({ name }) => name)).toEqual(["pool"]);
    expect(candidates("dense", layers, null)).toEqual([]);
  });
});
