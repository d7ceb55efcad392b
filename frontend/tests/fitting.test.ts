/** Whatever an address asks for, only what is there is shown, and what isn't is told. */
import { describe, expect, it } from "vitest";
import type { MapFact } from "../src/source/facts";
import { format, parse, START, unread } from "../src/state/address";
import { fitted, isWithin, type Asked, type There } from "../src/state/fitting";
import { indexOf } from "../src/state/place";
import { View } from "../src/state/view.svelte";
import en from "../src/words/en.json";
import { FakeSource, type FakeLayer } from "./fake";

/** Numbers from a seed, the same every time. */
function drawn(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

const NAMES = ["conv", "relu", "block/1/conv", "p2o.Conv.0", "ชั้น", "constructor", "a=b&c?"];

function networkOf(draw: (below: number) => number): FakeLayer[] {
  const sizes = () => 1 + draw(9);
  return NAMES.slice(0, draw(NAMES.length + 1)).map((name) => ({ name, shape: Array.from({ length: 1 + draw(5) }, sizes) }));
}

const NUMBERS = [0, 0, 0, 0, 1, 1, 2, 3, 7, 8, 9, 100, 2 ** 31, 2 ** 53, -1, 0.5, NaN, Infinity];

function askedOf(draw: (below: number) => number): Asked {
  const one = <T>(of: readonly T[]) => of[draw(of.length)] as T;
  const layer = draw(4) === 0 ? null : draw(4) === 0 ? "not there" : one(NAMES);
  return { layer, channel: one(NUMBERS), slice: one(NUMBERS), at: draw(3) === 0 ? null : [one(NUMBERS), one(NUMBERS)] };
}

describe("what is shown of what was asked", () => {
  const SEEDS = Array.from({ length: 3000 }, (_, seed) => seed);
  const cases = SEEDS.map((seed) => {
    const draw = drawn(seed);
    const layers = networkOf(draw);
    const source = new FakeSource(layers);
    const held = layers.filter(() => draw(4) > 0);
    const maps = new Map<string, MapFact>(held.map((layer) => [layer.name, source.map(layer)]));
    const there: There = { layers: new Set(layers.map(({ name }) => name)), first: layers[draw(layers.length)]?.name ?? null, maps, complete: draw(2) === 0 };
    return { asked: askedOf(draw), there };
  });

  it("is always there", () => {
    for (const { asked, there } of cases) {
      const { layer, channel, slice, at } = fitted(asked, there).shown;
      expect(layer === null ? there.first : there.layers.has(layer)).toBe(layer === null ? null : true);
      const map = layer === null ? undefined : there.maps.get(layer);
      expect([channel, slice, ...(at ?? [])].every((number) => Number.isSafeInteger(number) || !map)).toBe(true);
      if (!map) continue;
      expect(channel).toBeLessThan(map.channels);
      expect(slice).toBeLessThan(map.slices);
      if (at) expect(isWithin(indexOf(map.shape, { channel, slice, row: at[0], column: at[1] }), map.shape)).toBe(true);
    }
  });

  it("is what was asked wherever that is there, and else says so", () => {
    let [fits, tells] = [0, 0];
    for (const { asked, there } of cases) {
      const { shown, misfits } = fitted(asked, there);
      if (shown.layer === null || !there.maps.has(shown.layer)) continue;
      const same = JSON.stringify({ ...shown, layer: asked.layer ?? shown.layer }) === JSON.stringify({ ...asked, layer: shown.layer });
      expect(misfits.length === 0 && (asked.layer ?? shown.layer) === shown.layer).toBe(same);
      if (same) fits++;
      else tells++;
    }
    expect(Math.min(fits, tells)).toBeGreaterThan(20);
  });

  it("fits once it was fitted", () => {
    for (const { asked, there } of cases) {
      const once = fitted(asked, there).shown;
      expect(fitted(once, there)).toEqual({ shown: once, misfits: [] });
    }
  });

  it("waits with a pixel for maps that are still to come, and for none that never will", () => {
    const there: There = { layers: new Set(["conv"]), first: "conv", maps: new Map(), complete: false };
    const asked: Asked = { layer: "conv", channel: 70, slice: 0, at: [300, 200] };
    expect(fitted(asked, there)).toEqual({ shown: asked, misfits: [] });
    expect(fitted(asked, { ...there, complete: true }).shown.at).toBeNull();
  });
});

describe("an address", () => {
  it("of anything that can be shown is read as it was written", () => {
    const draw = drawn(1);
    for (let n = 0; n < 500; n++) {
      const whole = () => draw(1000);
      const address = { ...START, layer: NAMES[draw(NAMES.length)] ?? null, channel: whole(), slice: whole(), at: draw(2) ? ([whole(), whole()] as [number, number]) : null, together: draw(2) > 0 };
      expect(parse(format(address))).toEqual(address);
      expect(unread(format(address))).toEqual([]);
    }
  });

  it.each([
    ["#/see?channel=x&at=1", ["channel=x", "at=1"]],
    ["#/see?colours=red&scale=all&sort=size&show=all&steps=many", ["colours=red", "scale=all", "sort=size", "show=all", "steps=many"]],
    ["#/see?channel=-1&slice=1e3&recipe=5", ["channel=-1", "slice=1e3", "recipe=5"]],
    ["#/sea?channel=1", ["sea"]],
    ["#nothing", ["nothing"]],
    ["", []],
    ["#/see", []],
    ["#/see?layer=a&at=1,2&model=m&picture=p", []],
  ])("%s says which of its parts say nothing", (hash, told) => {
    expect(unread(hash).map(({ asked }) => asked)).toEqual(told);
  });

  it("with nothing but noise is read without an error, and every part that was left out has words", () => {
    const draw = drawn(7);
    const letters = "#/see?&=,;%1.5-+e[]{}\"\\ก layer channel at show";
    for (let n = 0; n < 3000; n++) {
      const hash = Array.from({ length: draw(40) }, () => letters[draw(letters.length)]).join("");
      const address = parse(`#/see?${hash}`);
      expect([address.channel, address.slice, ...(address.at ?? [])].every((number) => Number.isSafeInteger(number) && number >= 0)).toBe(true);
      for (const { part } of unread(hash)) expect(en.fitted).toHaveProperty(part);
    }
  });
});

const layersOf = (...shapes: number[][]): FakeLayer[] => shapes.map((shape, n) => ({ name: `layer${n}`, shape }));

async function opened(layers: FakeLayer[], hash: string): Promise<View> {
  const view = new View(new FakeSource(layers));
  await view.start(hash);
  await expect.poll(() => view.progress).toBeNull();
  return view;
}

const told = (view: View) => view.misfits.map(({ part, asked, shown }) => `${part} ${asked}: ${shown}`);

describe("the page", () => {
  const layers = layersOf([4, 8, 8], [1, 5, 7], [6], [2, 3, 4, 5]);

  it("says which layer it shows in place of one that isn't there, and nothing of that one's pixel", async () => {
    const view = await opened(layers, "#/see?layer=nothing&channel=3&at=2,2");
    expect([view.layer, view.channel, view.pixel]).toEqual(["layer0", 0, null]);
    expect(told(view)).toEqual(["layer nothing: layer0"]);
  });

  it("never explains a value that isn't there, however the address was entered", async () => {
    const view = await opened(layers, "#/see?layer=layer0");
    await view.goTo("#/see?layer=layer1&channel=1&at=4,6"); // of one channel, while its maps are here
    expect([view.channel, view.index, view.trail.at(-1)?.index]).toEqual([0, [0, 4, 6], [0, 4, 6]]);
    expect(told(view)).toEqual(["channel 1: 0"]);
    await view.goTo("#/see?layer=layer3&slice=9&at=90,90");
    expect([view.slice, view.index]).toEqual([2, [0, 2, 3, 4]]);
    expect(told(view)).toEqual(["slice 9: 2", "at 90, 90: 3, 4"]);
    await view.goTo("#/see?layer=layer2&channel=5&at=0,0");
    expect([view.index, told(view)]).toEqual([[5], []]);
  });

  it("says nothing more once a person has looked elsewhere, or has read it", async () => {
    const view = await opened(layers, "#/see?layer=layer0&channel=40&show=what");
    expect(told(view)).toEqual(["unread show=what: ", "channel 40: 3"]);
    view.dismissMisfits();
    expect([told(view), view.channel, view.layer]).toEqual([[], 3, "layer0"]);
    await view.goTo("#/see?layer=layer0&channel=40");
    view.chooseChannel(9);
    expect([told(view), view.channel]).toEqual([[], 3]); // the last one, without a word: it was moved there by hand
  });

  it("says which picture it shows in place of one that isn't here", async () => {
    const view = await opened(layers, "#/see?picture=lost");
    expect([view.picture, told(view)]).toEqual(["wave", ["picture lost: wave"]]);
  });

  it("holds every index in what there is, over random addresses entered one after the other", async () => {
    const draw = drawn(3);
    const view = await opened(layers, "");
    for (let n = 0; n < 400; n++) {
      const { layer, channel, slice, at } = askedOf(draw);
      await view.goTo(`#/see?${layer === null ? "" : `layer=${encodeURIComponent(draw(2) ? layer : `layer${draw(5)}`)}&`}channel=${channel}&slice=${slice}${at ? `&at=${at.join(",")}` : ""}`);
      if (view.map && view.index) expect(isWithin(view.index, view.map.shape)).toBe(true);
      expect(view.pixel === null).toBe(view.trail.length === 0);
      for (const entry of view.trail) expect(isWithin(entry.index, view.maps.get(entry.layer)?.shape ?? [])).toBe(true);
    }
  });
});
