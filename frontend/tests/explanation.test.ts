/** The ledger of the page says what Python prints, and adds up as printed. */
import { describe, expect, it } from "vitest";
import { ledgerOf, type Line } from "../src/panels/explanation/ledger";
import { madeFrom, pixelOf } from "../src/panels/explanation/recipe";
import { asText, lineInWords, resultInWords, stepInWords, verdictInWords } from "../src/panels/explanation/wording";
import { decimalsFor, fixed, full, printedSum, roundingOf, short } from "../src/panels/numbers";
import type { ExplanationFact, RecipeFact } from "../src/source/facts";
import cases from "./explanations.json";

interface Case {
  fact: ExplanationFact;
  decimals: number;
  rows: [string, string][];
}
const CASES = cases as unknown as Case[];
const caseOf = (layer: string): Case => {
  const found = CASES.find((one) => one.fact.layer === layer);
  if (!found) throw new Error(layer);
  return found;
};
const ascii = (text: string) => text.replaceAll("−", "-");
const units = (text: string) => BigInt(ascii(text).replace(".", ""));

describe("the ledger", () => {
  for (const layer of ["conv", "conv2", "avgpool", "dense", "batchnorm"]) {
    it(`prints ${layer} as Python does`, () => {
      const { fact, rows } = caseOf(layer);
      const lines = ledgerOf(fact).lines.filter((line) => !["difference", "bound"].includes(line.kind));
      const python = rows.filter(([kind]) => !["difference", "bound"].includes(kind)).map(([, number]) => Number(number));
      // The page lists the largest part first, Python the first channel: the same numbers, each the same size.
      const shown = lines.map((line) => Number(ascii(line.text)));
      expect([...shown].sort((a, b) => a - b)).toEqual([...python].sort((a, b) => a - b));
      expect(shown.slice(-2)).toEqual(python.slice(-2));
    });
  }

  it("adds up as printed, with a line for the rounding where there is any", () => {
    let rounded = 0;
    for (const { fact } of CASES) {
      const { lines } = ledgerOf(fact);
      const parts = lines.filter((line) => ["group", "term", "rest", "bias", "rounding"].includes(line.kind));
      if (parts.length === 0) continue;
      const whole = lines.find((line) => line.kind === "sum" || line.kind === "total");
      expect(parts.reduce((sum, line) => sum + units(line.text), 0n)).toBe(units(whole?.text ?? ""));
      rounded += Number(lines.some((line) => line.kind === "rounding"));
    }
    expect(rounded).toBeGreaterThan(0);
  });

  it("tells a folded tail as one line", () => {
    const { fact } = caseOf("conv2");
    const [first, ...others] = fact.groups;
    if (!first) throw new Error("no groups");
    const folded_sum = others.reduce((sum, group) => sum + Number(group.sum), 0);
    const { lines } = ledgerOf({ ...fact, groups: [first], folded_sum });
    expect(lines.slice(0, 2).map((line) => line.kind)).toEqual(["group", "rest"]);
    expect(lines[1]?.number).toBe(3);
    expect(lines.find((line) => line.kind === "total")?.text).toBe("11.830");
  });

  it("follows the steps where the value isn't the sum of its parts", () => {
    const { fact } = caseOf("conv2");
    const steps = [...fact.steps.slice(0, 1), { words: "x scale (2)", value: 2 * Number(fact.total) }];
    const { lines } = ledgerOf({ ...fact, steps, total: 2 * Number(fact.total) });
    expect(lines.map((line) => line.kind)).toContain("sum");
    expect(lines.find((line) => line.kind === "step")?.value).toBeCloseTo(2 * Number(fact.total), 10);
  });

  it("doesn't print a small probability as zero", () => {
    const { lines } = ledgerOf(caseOf("softmax").fact);
    expect(lines.find((line) => line.kind === "total")?.text).toMatch(/^4\.64\d*e−32$/);
  });

  it("states nothing but the framework's value where the arithmetic isn't known", () => {
    const fact = { ...caseOf("relu").fact, explained: false, agrees: false, total: null, residual: null, steps: [], terms: [] };
    expect(ledgerOf(fact).lines.map((line) => line.kind)).toEqual(["framework"]);
  });
});

describe("the words", () => {
  it("hold every number of the window, and the verdict", () => {
    const { fact } = caseOf("conv");
    const text = asText(fact);
    for (const value of fact.groups[0]?.kernel ?? []) expect(text).toContain(full(value));
    expect(text).toContain("Agrees");
    expect(text).toContain("−112.183");
  });
  it("never call a value the framework's that isn't, and say both reasons where there are both", () => {
    const { fact } = caseOf("conv");
    const [near, reduced] = ["Maps in float16", "Weights in float16"];
    const rows = (changed: Partial<ExplanationFact>) => {
      const told = { ...fact, ...changed };
      const line = ledgerOf(told).lines.find(({ kind }) => kind === "framework") as Line;
      return [lineInWords(line, told), line.text.startsWith("≈ "), verdictInWords(told)];
    };
    expect(rows({}).slice(0, 2)).toEqual(["the framework says", false]);
    expect(rows({ near })).toEqual(["this file's value, not exactly the framework's", true, "Approximate. Maps in float16."]);
    expect(rows({ near, means: 4 })[0]).toBe("mean of 4 × 4 values");
    expect(rows({ reduced })).toEqual(["the framework says", false, "Approximate. Weights in float16."]);
    expect(rows({ near, reduced })[2]).toBe("Approximate. Maps in float16. Weights in float16.");
    const alone = { explained: false, agrees: false, total: null, residual: null, steps: [], terms: [], groups: [] };
    expect(rows({ ...alone, reduced })).toEqual(["the framework says", false, "Weights in float16"]);
    expect(rows({ ...alone, near, reduced })).toEqual([expect.any(String), true, "Approximate. Maps in float16. Weights in float16."]);
    expect(rows({ ...alone, near })[2]).toMatch(/^Approximate\. Maps in float16\. The arithmetic of .* isn't known/);
    expect(asText({ ...fact, near })).not.toContain("framework says");
    expect(resultInWords({ ...fact, near })).not.toContain("framework says");
  });
  it("translate the steps they know, and show the others as they are", () => {
    expect(stepInWords("the largest value, 4 times")).toBe("the largest value, 4 times");
    expect(stepInWords("x - mean (0.5)")).toBe("x − mean (0.5)");
    expect(stepInWords("- zero point of the input (3) x sum of kernel")).toBe("− zero point of the input (3) × sum of kernel");
  });
});

describe("numbers", () => {
  it("are shown with four digits at most", () => {
    expect([0, 0.25, -1234.5678, 1e-7, 0.00012345, 123456, 1.5e9].map((n) => short(n))).toEqual([
      "0",
      "0.25",
      "−1235",
      "1e−7",
      "0.0001234",
      "123456",
      "1.5e9",
    ]);
    expect(["NaN", "Infinity", "-Infinity"].map((n) => short(n as "NaN"))).toEqual(["NaN", "∞", "−∞"]);
  });
  it("have all their digits on demand", () => {
    expect(full(Math.fround(0.1))).toBe("0.100000001");
    expect(full(0.1)).toBe("0.1");
    expect(full(-1 / 3)).toBe("−0.3333333333333333");
  });
  it("are aligned by the largest of them", () => {
    expect(decimalsFor([94, 216, 0], 4)).toBe(0);
    expect(decimalsFor([-112.18, 0.5], 6)).toBe(3);
    expect(decimalsFor([], 6)).toBe(0);
    expect(fixed(-0.0004, 2)).toBe("0.00");
  });
  it("say what rounding leaves", () => {
    expect(roundingOf([0.14, 0.14], 0.28, 1)).toBe("0.1");
    expect(roundingOf([1, 2], 3, 2)).toBeNull();
    expect(roundingOf([Infinity], Infinity, 2)).toBeNull();
    expect(printedSum([0.14, 0.14, -0.36], 1)).toBe("−0.2");
  });
});

describe("the recipe of a pixel", () => {
  const plain: RecipeFact = { resize: "crop", size: null, crop: 1, interpolation: "bicubic", channels: "rgb", scale: 1, mean: [0], std: [1], notes: [] };
  const imagenet = { ...plain, scale: 1 / 255, mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] };
  it("is turned round to the pixel itself", () => {
    for (let pixel = 0; pixel < 256; pixel++) {
      const value = Math.fround((pixel * imagenet.scale - 0.456) / 0.224);
      expect(pixelOf(imagenet, 1, value)).toBe(pixel);
    }
    expect(pixelOf(imagenet, 1, 99)).toBeNull();
    expect(pixelOf(imagenet, 1, "NaN")).toBeNull();
  });
  it("is told with its numbers", () => {
    expect(madeFrom(plain, 0, 214, 214)).toBe("");
    expect(madeFrom(imagenet, 0, 255, (1 - 0.485) / 0.229)).toBe("(255 / 255 − 0.485) / 0.229 = 2.24891");
    expect(madeFrom({ ...plain, scale: 1 / 127.5, mean: [1] }, 2, 0, -1)).toBe("0 × 0.00784314 − 1 = −1");
    expect(madeFrom({ ...plain, mean: [-16] }, 0, 4, 20)).toBe("4 + 16 = 20");
  });
});
