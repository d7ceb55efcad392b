/** The workbench: what is done to networks, what stays of it, and the way back. */
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Bench } from "../src/play/bench.svelte";
import { decimalsIn, fitting } from "../src/play/cells";
import { Entry, typed } from "../src/play/entry.svelte";
import type { Edit } from "../src/play/weights";
import { rooms } from "../src/state/rooms.svelte";

const PICTURE = { shape: [3, 20, 20], data: new Float32Array(1200) };
const EDIT: Edit = { block: 0, role: "kernel", index: [0, 0, 1, 1], value: 3 };

function bench(line: string, edits: readonly Edit[] = []): Bench {
  const found = new Bench(`#/play?sketch=${encodeURIComponent(line)}`);
  found.read(PICTURE, "");
  if (edits.length) found.typeWeights(edits);
  return found;
}

const lines = (of: Bench) => of.variants.map((one) => one.good);
const shown = (of: Bench) => of.variants.map((one) => one.fits[one.place]?.block.name);

describe("a number typed by hand", () => {
  it.each([
    ["conv 3 3x3", "relu | conv 3 3x3", [1]],
    ["conv 3 3x3", "conv 3 3x3 same | conv 3 3x3", [1]],
    ["conv 3 3x3", "conv 3 5x5 | relu", [0]],
    ["conv 3 3x3", "relu", []],
    ["conv 3 3x3", "dwconv 3x3", []],
  ])("of '%s' goes with its block in '%s'", (before, after, places) => {
    const one = bench(before, [EDIT]);
    one.type(after);
    expect(one.variant.edits.map((edit) => edit.block)).toEqual(places);
    expect(one.address.includes("typed=")).toBe(places.length > 0);
  });

  it("comes back with its block while the line is typed anew", () => {
    const one = bench("conv 3 3x3", [EDIT]);
    for (const line of ["r", "relu", "relu |", "relu | conv 3 3x3"]) one.type(line);
    expect(one.variant.edits).toEqual([{ ...EDIT, block: 1 }]);
    one.typedAll();
    one.type("relu");
    one.typedAll();
    one.type("conv 3 3x3");
    expect(one.variant.edits).toEqual([]);
  });
});

describe("a change that can't be", () => {
  it("changes nothing, and is told", () => {
    const one = bench("conv 3 3x3 stride 8 | flatten | dense 4");
    expect(one.move(0, 1)).toBe(false);
    expect(one.refused?.problem.key).toBe("readsMaps");
    expect([one.place, one.variant.text]).toEqual([0, "conv 3 3x3 stride 8 | flatten | dense 4"]);
    expect(one.remove(1)).toBe(false);
    one.choose(2);
    expect(one.add("conv 3 3x3")).toBe(false);
    expect([one.place, one.variant.blocks.length]).toEqual([2, 3]);
    expect(one.add("relu")).toBe(true);
    expect([one.place, one.refused]).toEqual([3, null]);
  });

  it("is told of a picture that is too small, until one comes that isn't", () => {
    const one = bench("conv 3 10x10");
    one.read({ shape: [3, 2, 2], data: new Float32Array(12) }, "");
    expect([one.variant.unfit, one.variant.tooSmall]).toEqual([true, true]);
    one.read(PICTURE, "");
    expect(one.variant.unfit).toBe(false);
  });
});

describe("two networks", () => {
  it("keep what they show while one of them changes", () => {
    const one = bench("conv 3 3x3 | relu");
    one.choose(1);
    one.compare(true);
    one.remove(1);
    expect(shown(one)).toEqual(["relu", "conv"]);
    one.active = 0;
    expect(shown(one)).toEqual(["relu", "conv"]);
    one.choose(0);
    expect(shown(one)).toEqual(["conv", "conv"]);
    one.choose(1);
    expect(shown(one)).toEqual(["relu", "conv"]);
  });
});

describe("the way back", () => {
  const entries: string[] = [];
  const here = { protocol: "http:", hash: "" };
  const put = (hash: string) => (here.hash = hash);
  const back = () => {
    entries.pop();
    rooms.follow(put(entries.at(-1) ?? ""));
  };

  beforeEach(() => {
    entries.length = 0;
    entries.push(put("#/play?sketch=conv+3+3x3"));
    rooms.follow(here.hash);
    vi.stubGlobal("location", here);
    vi.stubGlobal("history", {
      state: null,
      pushState: (_: unknown, __: string, hash: string) => entries.push(put(hash)),
      replaceState: (_: unknown, __: string, hash: string) => (entries[entries.length - 1] = put(hash)),
    });
    vi.useFakeTimers({ toFake: ["Date"] });
  });
  afterEach(() => {
    vi.unstubAllGlobals();
    vi.useRealTimers();
  });

  it("undoes each block that is added, each preset, and the comparison", () => {
    const one = bench("conv 3 3x3", [EDIT]);
    one.add("relu");
    one.compare(true);
    one.begin([{ text: "conv 1 3x3", seed: 0, edits: [], chosen: 0 }]);
    const seen = [];
    for (let n = 0; n < 3; n++) {
      back();
      one.follow(rooms.hash);
      seen.push(lines(one));
    }
    expect(seen).toEqual([["conv 3 3x3 | relu", "conv 3 3x3 | relu"], ["conv 3 3x3 | relu"], ["conv 3 3x3"]]);
    expect(one.variant.edits).toEqual([EDIT]);
  });

  it("is one step for a slider that moves on, and another after a rest", () => {
    const one = bench("conv 3 3x3");
    const slide = (filters: number) => {
      const [block] = one.variant.blocks;
      if (block?.kind === "conv") one.change(0, { ...block, filters });
    };
    for (const filters of [4, 5, 6]) slide(filters);
    expect(entries.length).toBe(2);
    vi.setSystemTime(Date.now() + 2000);
    slide(7);
    expect(entries.length).toBe(3);
    back();
    one.follow(rooms.hash);
    expect(lines(one)).toEqual(["conv 6 3x3"]);
  });

  it("is one step for a line, however long it is thought about, until it is left", () => {
    const one = bench("conv 3 3x3");
    for (const line of ["conv 3 3x3 | relu", "conv 3 3x3 | relu | tanh"]) {
      vi.setSystemTime(Date.now() + 5000);
      one.type(line);
    }
    expect(entries.length).toBe(2);
    one.typedAll();
    one.type("conv 3 3x3 | relu | gelu");
    expect(entries.length).toBe(3);
  });

  it("has no step for a line that says nothing", () => {
    const one = bench("conv 3 3x3");
    one.type("conv 3 3x3 |");
    expect(entries.length).toBe(1);
    one.type("conv 3 3x3 | relu");
    expect(entries.length).toBe(2);
  });
});

describe("a field of numbers", () => {
  it("takes what a float32 holds, and nothing else", () => {
    expect(["3", "−0,5", " 1e-3 ", "+.5"].map(typed)).toEqual([3, -0.5, Math.fround(0.001), 0.5]);
    for (const text of ["", "abc", "1/3", "NaN", "1 000", "0x10", "1e39", "Infinity", "-"]) expect([text, typed(text)]).toEqual([text, null]);
  });

  it("says what is wrong, and gets its number back", () => {
    const entry = new Entry();
    entry.follow("bias", "-");
    expect(entry.wrong).toBeNull();
    entry.follow("bias", "1/3");
    expect([entry.wrong, entry.standing]).toEqual([{ field: "bias", given: "1/3" }, "bias"]);
    const input = { value: "1/3" } as HTMLInputElement;
    expect(entry.take("bias", input, "0.5")).toBeNull();
    expect([input.value, entry.wrong?.given, entry.standing]).toEqual(["0.5", "1/3", null]);
    entry.follow("bias", "2");
    expect(entry.wrong).toBeNull();
  });

  it("shows no more digits than its cell has room for", () => {
    expect([-0.1284, 0.25, -123.456, -12345.6, 0].map((value) => fitting(value, 3, 5))).toEqual(["−0.13", "0.250", "−123", "−1e4", "0.000"]);
    expect([decimalsIn(Float32Array.of(0.1, -0.128), 7), decimalsIn(Float32Array.of(0.1, -0.128), 5)]).toEqual([3, 2]);
    expect(fitting(-1e-9, 11, 6)).toBe("−1e−9");
  });
});
