/** The playground's workshop, address and formulas, without a page. */
import { describe, expect, it } from "vitest";
import type { Tensor } from "../src/arithmetic/operations";
import { indexOf } from "../src/arithmetic/tensor";
import { format, parse as parseAddress, type Setup } from "../src/play/address";
import { float32 } from "../src/play/code/numbers";
import { explained } from "../src/play/explaining";
import { parameterFormula, reachFormulas, sizeFormulas } from "../src/play/formulas";
import { fit } from "../src/play/geometry";
import { parse } from "../src/play/language";
import { work } from "../src/play/layers";
import type { Told } from "../src/play/orders";
import { weightsOf } from "../src/play/weights";
import { Workshop } from "../src/play/workshop";
import cases from "./cases/play.json";

const PICTURE = { shape: [3, 60, 50], data: Float32Array.from({ length: 9000 }, (_, n) => (n * 7919) % 256) };

function told(until: (message: Told) => boolean): { workshop: Workshop; messages: Told[]; done: Promise<void> } {
  const messages: Told[] = [];
  let finish: () => void = () => undefined;
  const done = new Promise<void>((resolve) => (finish = resolve));
  const workshop = new Workshop((message) => {
    messages.push(message);
    if (until(message)) finish();
  });
  workshop.receive({ kind: "picture", sheet: PICTURE });
  return { workshop, messages, done };
}

const order = (id: number, text: string) => ({ kind: "work" as const, order: { id, text, seed: 0, edits: [] } });
const whole = (id: number) => (message: Told) => message.kind === "maps" && message.id === id && message.level === 0;

describe("the workshop", () => {
  it("works out every value as the sum of its products", async () => {
    const { workshop, messages, done } = told(whole(1));
    workshop.receive(order(1, "conv 2 3x5 stride 2 pad 1"));
    await done;
    const maps = messages.find(whole(1));
    const fits = fit("", parse("conv 2 3x5 stride 2 pad 1"), PICTURE.shape);
    const [weights] = weightsOf(fits, 0);
    const shown = maps?.kind === "maps" ? maps.layers[0] : undefined;
    expect(shown?.shape).toEqual(fits[0]?.output);
    const [, rows = 0, columns = 0] = shown?.shape ?? [];
    for (const [filter, row, column] of [[0, 0, 0], [1, 5, 7], [1, rows - 1, columns - 1]] as const) {
      let sum = 0;
      for (let channel = 0; channel < 3; channel++)
        for (let r = 0; r < 3; r++)
          for (let c = 0; c < 5; c++) {
            const [y, x] = [row * 2 - 1 + r, column * 2 - 1 + c];
            if (y < 0 || y >= 60 || x < 0 || x >= 50) continue;
            sum += (PICTURE.data[(channel * 60 + y) * 50 + x] as number) * (weights?.kernel.data[((filter * 3 + channel) * 3 + r) * 5 + c] as number);
          }
      expect(shown?.data[(filter * rows + row) * columns + column]).toBe(Math.fround(sum));
    }
  });

  it("leaves an order that is no longer wanted, and answers the newer one", async () => {
    const { workshop, messages, done } = told(whole(2));
    workshop.receive(order(1, "conv 64 9x9 same | conv 64 9x9 same"));
    workshop.receive(order(2, "conv 1 3x3"));
    await done;
    expect(messages.some(whole(1))).toBe(false);
  });

  it("shows a reduced picture's maps first where the whole one takes long", async () => {
    const { workshop, messages, done } = told((message) => message.kind === "maps");
    workshop.receive(order(1, "conv 32 9x9 same | conv 32 9x9 same"));
    await done;
    const [first] = messages.filter((message) => message.kind === "maps");
    expect(first?.kind === "maps" && first.level).toBeGreaterThan(0);
    workshop.receive(order(2, "relu"));
  });

  it("says what is wrong with an order that makes no sense", async () => {
    const { workshop, messages, done } = told((message) => message.kind === "failed");
    workshop.receive(order(1, "conv"));
    await done;
    expect(messages[messages.length - 1]).toMatchObject({ kind: "failed", id: 1 });
  });
});

describe("an explanation", () => {
  it.each(cases.lines.filter(({ shape }) => shape[1] === 40))("agrees with every layer of $line", ({ line }) => {
    const picture = { shape: [3, 40, 30], data: Float32Array.from({ length: 3600 }, (_, n) => (n * 7919) % 256) };
    const fits = fit(line, parse(line), picture.shape);
    const weights = weightsOf(fits, 3);
    let source: Tensor = picture;
    fits.forEach((one, n) => {
      const done = work(one.block, weights[n] ?? null, source, one.output);
      for (let piece = 0; piece < done.pieces; piece++) done.piece(piece);
      for (const flat of [0, Math.floor(done.data.length / 2), done.data.length - 1]) {
        const index = indexOf(flat, [...one.output]);
        const fact = explained(one, "before", weights[n] ?? null, source, index, done.data[flat] as number);
        expect([one.block.name, fact.explained, fact.agrees, fact.verdict]).toEqual([one.block.name, true, true, fact.verdict]);
      }
      source = { shape: [...one.output], data: done.data };
    });
  });
});

describe("the address", () => {
  it("holds both networks with their seeds and typed numbers", () => {
    const setups: Setup[] = [
      { text: "conv 3 3x3 | relu", seed: 7, edits: [{ block: 0, role: "kernel", index: [2, 1, 0, 2], value: -0.5 }, { block: 0, role: "bias", index: [1], value: 0.25 }], chosen: 1 },
      { text: "conv gaussian 5x5", seed: 0, edits: [], chosen: 0 },
    ];
    expect(parseAddress(format(setups))).toEqual(setups);
  });

  it("opens with the first preset where it can't be read", () => {
    expect(parseAddress("#/play?seed=-4&typed=x1,2_k,NaN")).toEqual([{ text: "conv 3 3x3", seed: 0, edits: [], chosen: 0 }]);
  });

  it("holds no typed number that a float32 can't", () => {
    const [found] = parseAddress("#/play?sketch=conv+3+3x3&typed=k0,0,0,0,0,1e39_k0,0,0,0,0,0x10_k0,0,0,0x1,0,1_b0,1,-0.5");
    expect(found?.edits).toEqual([{ block: 0, role: "bias", index: [1], value: -0.5 }]);
  });
});

describe("the formulas", () => {
  it.each([
    ["conv 3 3x3", [3, 1440, 1080], ["1440 − 3 + 1 = 1438", "1080 − 3 + 1 = 1078"], "3 filters × (3 channels × 3 rows × 3 columns) + 3 biases = 84"],
    ["conv 1 3x3 same", [1, 9, 9], ["9 + 1 + 1 − 3 + 1 = 9", "9 + 1 + 1 − 3 + 1 = 9"], "1 filter × (1 channel × 3 rows × 3 columns) + 1 bias = 10"],
    ["dense 10", [192], null, "10 outputs × 192 inputs + 10 biases = 1930"],
    ["conv 2 3x5 stride 2 pad 1 nobias", [3, 9, 9], ["⌊(9 + 1 + 1 − 3) / 2⌋ + 1 = 5", "⌊(9 + 1 + 1 − 5) / 2⌋ + 1 = 4"], "2 filters × (3 channels × 3 rows × 5 columns) = 90"],
    ["tconv 2 3x3 stride 2", [4, 5, 5], ["(5 − 1) × 2 − 0 − 0 + 3 + 0 = 11", "(5 − 1) × 2 − 0 − 0 + 3 + 0 = 11"], "2 filters × (4 channels × 3 rows × 3 columns) + 2 biases = 74"],
    ["globalavgpool", [4, 5, 5], null, null],
  ] as const)("of %s", (line, picture, sizes, parameters) => {
    const [found] = fit(line, parse(line), picture);
    expect(found && sizeFormulas(found)).toEqual(sizes);
    expect(found && parameterFormula(found)).toBe(parameters);
  });

  it.each([
    ["conv 3 3x3", []],
    ["conv 3 3x3 dilation 4", ["4 × (3 − 1) + 1 = 9"]],
    ["conv 3 3x5 dilation 2x3", ["2 × (3 − 1) + 1 = 5", "3 × (5 − 1) + 1 = 13"]],
  ])("of how far '%s' reaches", (line, reaches) => {
    expect(fit(line, parse(line), [3, 40, 40]).map(reachFormulas)).toEqual([reaches]);
  });

  it("of weights are the shortest decimals that are the same float32", () => {
    for (const value of [0.1, 1 / 3, -5e-7, 123456.79, 0, 1]) expect(Math.fround(Number(float32(Math.fround(value))))).toBe(Math.fround(value));
    expect(float32(Math.fround(0.1))).toBe("0.1");
  });
});
