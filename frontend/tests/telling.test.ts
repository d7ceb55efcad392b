import { beforeEach, describe, expect, it } from "vitest";
import { recipeInWords, reductionInWords } from "../src/panels/picture/telling";
import { preferences } from "../src/state/preferences.svelte";

const CAPTIONS = [
  "1440 rows x 1080 columns, not resized; rgb; value = pixel (0..255); chelsea.png stretched from 300 rows x 451 columns",
  "0.875 central crop to 224 rows x 224 columns (bicubic); rgb; value = pixel / 255",
  "padded with black to 28 rows x 28 columns (nearest); grey; value = pixel - 127.5",
];
const REDUCTIONS = [
  "The weights of conv, conv2 are carried with 8 bits a weight",
  "The maps of conv are carried in float16, at 1/4 of their resolution",
  "The weights of 8 layers (a, b, c, d, e, ...) are left out: these layers can be looked at, but not explained",
];

describe("what Python says", () => {
  beforeEach(() => preferences.setLanguage("en"));

  it("stays as it is in English", () => {
    expect(CAPTIONS.map(recipeInWords)).toEqual(CAPTIONS);
    expect(REDUCTIONS.map(reductionInWords)).toEqual(REDUCTIONS);
  });

  it("is told in Thai; what isn't known stays", () => {
    preferences.setLanguage("th");
    expect(recipeInWords(CAPTIONS[0] ?? "")).toBe("1440 แถว x 1080 คอลัมน์ ไม่ปรับขนาด; rgb; ค่า = พิกเซล (0..255); chelsea.png ยืดจาก 300 แถว x 451 คอลัมน์");
    expect(reductionInWords(REDUCTIONS[1] ?? "")).toBe("แมปของ conv เก็บเป็น float16 ที่ 1/4 ของความละเอียดเดิม");
    for (const told of REDUCTIONS) expect(reductionInWords(told)).not.toContain("of");
    expect([recipeInWords("a note of one's own"), reductionInWords("something new")]).toEqual(["a note of one's own", "something new"]);
  });
});
