/** Keys do what the list says, and are never taken from who needs them. */
import { describe, expect, it, vi } from "vitest";
import { BINDINGS, handle, latin } from "../src/state/keys";
import type { View } from "../src/state/view.svelte";
import en from "../src/words/en.json";
import th from "../src/words/th.json";

/** As much of an element as the keyboard looks at: which selectors it, or what holds it, answers to. */
function within(...selectors: string[]): EventTarget {
  return { closest: (asked: string) => (asked.split(", ").some((one) => selectors.includes(one)) ? {} : null) } as unknown as EventTarget;
}

function press(view: Partial<View>, key: string, target: EventTarget | null = null, more: Partial<KeyboardEvent> = {}): boolean {
  const preventDefault = vi.fn();
  const event = { key, code: "", target, defaultPrevented: false, ...more, preventDefault };
  handle(view as View, event as unknown as KeyboardEvent);
  return preventDefault.mock.calls.length > 0;
}

const layers = ["conv", "relu"].map((name) => ({ name }));

describe("the keys", () => {
  it("are each in the list once, in both languages", () => {
    const keys = BINDINGS.flatMap((binding) => binding.keys);
    expect(new Set(keys).size).toBe(keys.length);
    expect(Object.keys(th.keys)).toEqual(Object.keys(en.keys));
  });

  it("step through channels and layers", () => {
    const view = { channel: 3, layer: "conv", network: { layers }, chooseChannel: vi.fn(), chooseLayer: vi.fn() };
    press(view as unknown as View, "]");
    press(view as unknown as View, ".");
    expect(view.chooseChannel).toHaveBeenCalledWith(4);
    expect(view.chooseLayer).toHaveBeenCalledWith("relu");
    expect(press(view as unknown as View, ",")).toBe(false); // there is none before the first
  });

  it("move the chosen pixel, and leave arrows alone where none is chosen", () => {
    const choosePixel = vi.fn();
    expect(press({ pixel: [5, 6], choosePixel }, "ArrowUp")).toBe(true);
    expect(choosePixel).toHaveBeenCalledWith(4, 6);
    press({ pixel: [5, 6], choosePixel }, "ArrowRight", null, { shiftKey: true });
    expect(choosePixel).toHaveBeenLastCalledWith(5, 16);
    expect(press({ pixel: null, choosePixel }, "ArrowUp")).toBe(false);
  });

  it.each([
    ["c", "input"],
    ["[", "select"],
    ["?", "dialog"],
    ["ArrowUp", "[role=grid]"],
    ["ArrowUp", "[role=tree]"],
    ["c", "[role=tree]"],
    ["Enter", "button"],
  ])("%s stays with %s", (key, place) => {
    const view = { pixel: [1, 1] as [number, number], channel: 1, choosePixel: vi.fn(), chooseChannel: vi.fn(), setColours: vi.fn() };
    expect(press(view, key, within(place))).toBe(false);
    for (const act of [view.choosePixel, view.chooseChannel, view.setColours]) expect(act).not.toHaveBeenCalled();
  });

  it.each([{ defaultPrevented: true }, { ctrlKey: true }, { metaKey: true }, { altKey: true }])("keep away from %o", (more) => {
    const chooseChannel = vi.fn();
    press({ channel: 1, chooseChannel }, "]", null, more);
    expect(chooseChannel).not.toHaveBeenCalled();
  });

  it("explain the pixel under the cursor, or the centre", () => {
    const choosePixel = vi.fn();
    const map = { layer: "conv", rows: 9, columns: 7 };
    press({ map, hover: { layer: "conv", channel: 0, row: 2, column: 3 }, channel: 0, pixel: null, choosePixel } as unknown as View, "Enter");
    expect(choosePixel).toHaveBeenCalledWith(2, 3);
    press({ map, hover: null, pixel: null, choosePixel } as unknown as View, "Enter");
    expect(choosePixel).toHaveBeenLastCalledWith(4, 3);
  });

  it("walk back along the trail or to the largest term, and forth again", async () => {
    const walkTo = vi.fn();
    const walkBack = vi.fn();
    const trail = [{ layer: "relu", index: [0, 1, 1] }, { layer: "conv", index: [0, 1, 1] }];
    press({ trail, step: 0, run: { id: "r" }, walkTo } as unknown as View, "b");
    expect(walkTo).toHaveBeenCalledWith(1);
    press({ trail, step: 1, walkTo } as unknown as View, "f");
    expect(walkTo).toHaveBeenLastCalledWith(0);
    const explanation = vi.fn().mockResolvedValue({ terms: [{ layer: "x", index: [2, 0, 0] }] });
    const maps = new Map([["conv", {}]]);
    press({ trail, step: 1, run: { id: "r" }, maps, source: { explanation }, walkBack } as unknown as View, "b");
    await vi.waitFor(() => expect(walkBack).toHaveBeenCalledWith("x", [2, 0, 0]));
    expect(explanation).toHaveBeenCalledWith("r", "conv", [0, 1, 1], 1);
  });

  it.each([
    ["แ", "KeyC", false, "c"],
    ["ฝ", "Slash", false, "/"],
    ["ฦ", "Slash", true, "?"],
    ["บ", "BracketLeft", false, "["],
    ["ล", "BracketRight", false, "]"],
    ["é", "Digit2", false, "é"],
    ["c", "KeyI", false, "c"], // another Latin keyboard keeps its own letters
  ])("%s on %s is read as %s", (key, code, shiftKey, read) => {
    expect(latin({ key, code, shiftKey })).toBe(read);
  });
});
