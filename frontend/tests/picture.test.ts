/** The box that is drawn on the picture is the one that walking through the layers gives; recipes survive being edited. */
import { describe, expect, it } from "vitest";
import { largest, heatPixels } from "../src/panels/picture/effective.svelte";
import { beyond, boxAt, boxOf, clip, sizeOf } from "../src/panels/picture/field";
import { read, textOf } from "../src/panels/picture/recipe";
import { palette } from "../src/paint/colours";
import type { FieldFact, RecipeFact } from "../src/source/facts";

interface Sliding {
  kernel: number;
  stride: number;
  before: number;
}

/** All input places that one output place reads, layer by layer: a walk without any formula. */
function walked(layers: Sliding[], place: number): [number, number] {
  let places = new Set([place]);
  for (const { kernel, stride, before } of [...layers].reverse()) {
    const read = new Set<number>();
    for (const one of places) for (let tap = 0; tap < kernel; tap++) read.add(one * stride - before + tap);
    places = read;
  }
  return [Math.min(...places), Math.max(...places)];
}

const STEM: Sliding[] = [
  { kernel: 7, stride: 2, before: 3 },
  { kernel: 3, stride: 2, before: 1 },
  { kernel: 3, stride: 1, before: 1 },
];
// ResNet-18's first block: 7 + 2·2 + 2·4 = 19 pixels, 4 apart; its first begins at −3 − 2 − 4.
const FACT: FieldFact = { size: [19, 19], stride: [4, 4], start: [-9, -9], end: [9, 9], whole: false, exact: true };
const PICTURE = { rows: 224, columns: 224 };

describe("the receptive field on the picture", () => {
  it.each([
    [0, 0],
    [1, 55],
    [30, 17],
  ])("of the value at %i, %i is what a walk through the layers reads", (row, column) => {
    expect(boxAt(FACT, [row, column], PICTURE)).toEqual({ rows: walked(STEM, row), columns: walked(STEM, column) });
  });

  it("is cut at the picture's edges, and says by how much", () => {
    const box = boxAt(FACT, [0, 55], PICTURE);
    const inside = clip(box, PICTURE);
    expect(inside).toEqual({ rows: [0, 9], columns: [211, 223] });
    expect(beyond(box, PICTURE)).toEqual({ top: 9, bottom: 0, left: 0, right: 6 });
    expect(sizeOf(box)).toEqual({ rows: 19, columns: 19 });
  });

  it("is nothing where it lies wholly in the padding", () => {
    expect(clip({ rows: [-5, -1], columns: [0, 3] }, PICTURE)).toBeNull();
  });

  it("of a sequence covers its one row", () => {
    const box = boxAt({ ...FACT, size: [3], stride: [2], start: [-1], end: [1] }, [4], { rows: 1, columns: 50 });
    expect(box).toEqual({ rows: [0, 0], columns: [7, 9] });
  });

  it("of a volume is its last two axes", () => {
    const fact = { unclipped: [[0, 1], [2, 3], [4, 5]], clipped: [], exact: true };
    expect(boxOf(fact, PICTURE)).toEqual({ rows: [2, 3], columns: [4, 5] });
  });
});

describe("the heat of the effective field", () => {
  it("is transparent where nothing moves the value, and strongest at the largest", () => {
    const values = { data: new Float32Array([0, 1, 4]), shape: [1, 3], exact: true };
    expect(largest(values)).toBe(4);
    const pixels = heatPixels(values);
    expect([pixels[3], pixels[7], pixels[11]]).toEqual([0, 70 + 83, 235]); // the root of 1/4 is a half
    const half = 119 * 3;
    expect([...pixels.slice(4, 7)]).toEqual([...palette(false).slice(half, half + 3)]);
  });

  it("shows nothing where no pixel moves the value", () => {
    expect([...heatPixels({ data: new Float32Array(2), shape: [1, 2], exact: true })].filter((_, n) => n % 4 === 3)).toEqual([0, 0]);
  });
});

describe("a recipe as text", () => {
  const recipe: RecipeFact = {
    resize: "crop",
    size: [224, 192],
    crop: 0.875,
    interpolation: "bicubic",
    channels: "rgb",
    scale: 1 / 255,
    mean: [0.485, 0.456, 0.406],
    std: [0.229, 0.224, 0.225],
    notes: [],
  };

  it("is read back as the very same numbers", () => {
    expect(read(textOf(recipe))).toEqual({ recipe });
    expect(textOf(recipe).scale).toBe("1/255");
    expect(read(textOf({ ...recipe, size: null, scale: 0.017 }))).toEqual({ recipe: { ...recipe, size: null, scale: 0.017 } });
  });

  it("keeps no crop where nothing is cropped", () => {
    expect(read({ ...textOf(recipe), resize: "pad" })).toMatchObject({ recipe: { crop: 1 } });
  });

  it.each([
    ["size", "224"],
    ["size", "0 x 4"],
    ["crop", "1.5"],
    ["scale", "0"],
    ["scale", "1/0"],
    ["scale", "1/"],
    ["mean", "1, 2"],
    ["mean", ""],
    ["std", "1, 0, 1"],
  ] as const)("names %s where it says “%s”", (field, words) => {
    expect(read({ ...textOf(recipe), [field]: words })).toEqual({ wrong: [field] });
  });
});
