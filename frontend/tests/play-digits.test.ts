/** The digit network in the playground: whose weights it has, what it reads, and what is said of maps. */
import { describe, expect, it } from "vitest";
import { format, parse } from "../src/play/address";
import { Bench } from "../src/play/bench.svelte";
import { asDigit, digit, given, TRAINED } from "../src/play/digits";
import { fit } from "../src/play/geometry";
import { parse as parseLine } from "../src/play/language";
import { DIGITS, PRESETS } from "../src/play/presets";
import { carrying, weightsOf } from "../src/play/weights";
import { shownOf } from "../src/play/workshop";

const CAT = { shape: [3, 60, 40], data: new Float32Array(7200).fill(51) };
const plain = { text: PRESETS[0]?.sketch ?? "", seed: 0, edits: [], chosen: 0 };

function begun(): Bench {
  const found = new Bench("#/play");
  found.read(CAT, "cat", false);
  found.begin(DIGITS);
  return found;
}

describe("the weights of a training", () => {
  it("stay in the address, where no others are taken", () => {
    expect(parse(format(DIGITS))).toEqual(DIGITS);
    expect(parse("#/play?sketch=relu&weights=digits-7")[0]?.step).toBeUndefined();
  });

  it("are those of the blocks whose sizes they have; the others are drawn", () => {
    const of = (line: string) => fit(line, parseLine(line), [1, 28, 28]);
    const trained = given(TRAINED);
    const line = DIGITS[1]?.text ?? "";
    expect(carrying(of(line), trained)).toEqual(["conv", "conv2", "dense"]);
    const other = line.replace("8 5x5", "8 3x3 pad 1");
    expect(carrying(of(other), trained)).toEqual(["conv2"]);
    expect(weightsOf(of(other), 0, [], trained)[0]).toEqual(weightsOf(of(other), 0)[0]);
    expect(weightsOf(of(other), 0, [], trained)[3]).toBe(trained?.weights[1]);
  });

  it("are drawn anew by a seed", () => {
    const one = begun();
    one.active = 1;
    one.draw(5);
    expect([one.variant.step, one.variant.trained, one.variant.seed]).toEqual(["digits-0", [], 5]);
  });
});

describe("the picture of the digit network", () => {
  it("is a digit, until another network begins", () => {
    const one = begun();
    expect(one.picture).toEqual(digit());
    expect(one.variants.map((each) => each.fits.length)).toEqual([8, 8]);
    one.compare(false);
    expect(one.picture?.shape).toEqual([1, 28, 28]);
    one.begin([plain]);
    expect(one.picture).toBe(CAT);
    expect(one.variant.fits[0]?.output).toEqual([3, 58, 38]);
  });

  it("is the middle of what a person opens, in grey from 0 to 1", () => {
    const one = begun();
    one.read(CAT, "own");
    expect([one.picture?.shape, one.pictureName]).toEqual([[1, 28, 28], "own"]);
    expect([...(one.picture?.data ?? [])].every((value) => Math.abs(value - 0.2) < 1e-6)).toBe(true);
    const red = { shape: [3, 2, 4], data: Float32Array.from({ length: 24 }, (_, n) => (n === 1 ? 255 : 0)) };
    const read = asDigit(red).data;
    expect([read[0], read[13], read[14], read[14 * 28]]).toEqual([Math.fround(0.299), Math.fround(0.299), 0, 0]);
  });
});

describe("a map", () => {
  it("is marked where its colours alone would mislead", () => {
    const data = Float32Array.of(0, 0, 2, 2, 1, Infinity, NaN, 1, 1, 2);
    expect(shownOf({ shape: [5, 1, 2], data }).signs).toEqual(["dead", "constant", "infinite", "nan", null]);
    expect(shownOf({ shape: [2], data: Float32Array.of(0, 1) }).signs).toEqual([null, null]);
  });
});
