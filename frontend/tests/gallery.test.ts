/** A walk from model to model: where one arrives, what is new, and what isn't offered. */
import { describe, expect, it } from "vitest";
import { gridOf, sizeToSee } from "../src/panels/maps/layout";
import { partsOf } from "../src/panels/walk/sketch";
import type { FieldFact, LayerFact, ModelFact, NetworkFact, RunFact, SessionFact } from "../src/source/facts";
import { arriveAt, stepsOf, walk } from "../src/state/walk";
import { View } from "../src/state/view.svelte";
import { FakeSource, RECIPE } from "./fake";

const field = (size: number, stride: number): FieldFact => ({
  ...{ size: [size, size], stride: [stride, stride], start: [0, 0], end: [size - 1, size - 1], whole: false, exact: true },
});

function layer(name: string, kind: string, side: number, seen: FieldFact, channels = 1): LayerFact {
  const plain = { scope: [], inputs: [], parameters: 0, macs: 0, dtype: "float32", shares: null, notes: [], has_kernels: false };
  return { ...plain, name, op: name, kind, output_shape: [channels, side, side], receptive_field: seen };
}

function network(...layers: LayerFact[]): NetworkFact {
  const totals = { inputs: [], outputs: [], parameters: 0, macs: 0, notes: [], recipe: RECIPE, recipe_source: "" };
  return { model: step("m", 0), layers, ...totals };
}

const step = (id: string, n: number): ModelFact => ({ id, name: id, engine: "", title: { en: `${n}`, th: `${n}` }, says: null, step: null });

const conv = layer("conv", "convolution", 98, field(3, 1), 3);
const wide = layer("conv", "convolution", 91, field(10, 1));
const relu = layer("relu", "activation", 98, field(3, 1));
const pool = layer("maxpool", "pooling", 19, field(7, 5));
const later = layer("conv2", "convolution", 17, field(17, 5));

const sketchOf = (sketch: string, before: string | null) =>
  partsOf(sketch, before).map((part) => (part.isNew ? `[${part.words.map((word) => word.text).join(" ")}]` : part.words.map((word) => (word.isNew ? `*${word.text}*` : word.text)).join(" ")));

describe("where a walk arrives", () => {
  const from = network(conv, relu, pool);
  it("stays at the end of the network", () => {
    expect(arriveAt(network(conv), { layer: conv, channel: 0, pixel: null }, from)?.layer).toBe("maxpool");
    expect(arriveAt(from, { layer: pool, channel: 0, pixel: null }, network(wide))?.layer).toBe("conv");
  });
  it("stays at a layer of the same name, or else of the same kind", () => {
    expect(arriveAt(from, { layer: conv, channel: 0, pixel: null }, network(conv, relu, pool, later))?.layer).toBe("conv");
    expect(arriveAt(network(conv, later, relu), { layer: later, channel: 0, pixel: null }, network(wide, relu))?.layer).toBe("conv");
    expect(arriveAt(network(conv, relu, pool), { layer: relu, channel: 0, pixel: null }, network(wide, pool))).toBeNull();
  });
  it("takes a channel that is there", () => {
    expect(arriveAt(network(conv), { layer: conv, channel: 2, pixel: null }, network(wide))?.channel).toBe(0);
  });
  it("keeps the place of the picture that the pixel looks at", () => {
    // the value (50, 40) of a 3x3 sees rows 50 to 52: its middle is 51; of 10x10 kernels, (46, 36) has 50.5, (47, 37) 51.5
    expect(arriveAt(network(conv), { layer: conv, channel: 0, pixel: [50, 40] }, network(wide))?.at).toEqual([47, 37]);
    // the middle 51 of 7 pixels every 5: (51 - 3) / 5 = 9.6
    expect(arriveAt(network(conv), { layer: conv, channel: 0, pixel: [50, 40] }, network(conv, pool))?.at).toEqual([10, 8]);
    expect(arriveAt(network(conv), { layer: conv, channel: 0, pixel: [97, 0] }, network(conv, pool))?.at).toEqual([18, 0]);
  });
});

describe("what is new in a sketch", () => {
  it("marks a word, or a whole layer", () => {
    expect(sketchOf("conv 3 10x10", "conv 3 3x3")).toEqual(["conv 3 *10x10*"]);
    expect(sketchOf("conv 1 20x20 | relu", "conv 1 20x20")).toEqual(["conv 1 20x20", "[relu]"]);
    expect(sketchOf("conv 1 3x3 | relu | maxpool 5x5", "conv 1 3x3 | maxpool 5x5")).toEqual(["conv 1 3x3", "[relu]", "maxpool 5x5"]);
  });
  it("marks nothing in the first, and nothing where nothing is shared", () => {
    expect(sketchOf("conv 3 3x3", null)).toEqual(["conv 3 3x3"]);
    expect(sketchOf("b.onnx", "a.onnx")).toEqual(["b.onnx"]);
  });
});

describe("the steps of a walk", () => {
  const session = (...models: ModelFact[]) => ({ models }) as SessionFact;
  it("are the models with a title, where there are two", () => {
    const plain = { ...step("c", 3), title: null };
    expect(stepsOf(session(step("a", 1), plain, step("b", 2))).map(({ id }) => id)).toEqual(["a", "b"]);
    expect(stepsOf(session(step("a", 1), plain))).toEqual([]);
    expect(stepsOf(null)).toEqual([]);
  });
  it("lead from one model to the next and end", async () => {
    const source = new FakeSource([{ name: "conv", shape: [3, 8, 8] }]);
    const first = await source.session();
    source.session = async () => ({ ...first, models: [step("a", 1), step("b", 2)], model: "a" });
    const view = new View(source);
    await view.start("");
    view.setColours({ mode: "sequential" });
    expect(walk(view, -1)).toBe(false);
    expect(walk(view, 1)).toBe(true);
    await expect.poll(() => view.model).toBe("b");
    expect(view.mode).toBe("sequential");
    expect(view.layer).toBe("conv");
    expect(walk(view, 1)).toBe(false);
  });
});

describe("few maps", () => {
  it.each([
    [3, 678, 626, 1438, 1078],
    [3, 678, 650, 1438, 1078],
    [1, 678, 626, 287, 215],
    [6, 1240, 900, 30, 90],
    [2, 400, 900, 50, 50],
  ])("are as large as all %i of them are seen in %i x %i", (count, width, height, rows, columns) => {
    const size = sizeToSee(count, width, height, rows, columns);
    expect(gridOf(count, width, size, rows, columns).height).toBeLessThanOrEqual(height);
    const seen = Array.from({ length: 2000 }, (_, n) => gridOf(count, width, n + 1, rows, columns)).filter((grid) => grid.height <= height);
    expect(gridOf(count, width, size, rows, columns).wide).toBeGreaterThanOrEqual(Math.max(...seen.map((grid) => grid.wide)) - 1); // a height is rounded
  });
});

describe("a file that holds some runs only", () => {
  it("shows a model on a picture that it holds of it", async () => {
    const source: FakeSource & { holds?: (model: string, picture: string) => boolean } = new FakeSource([{ name: "conv", shape: [3, 8, 8] }]);
    const first = await source.session();
    const pictures = ["cat", "dog", "owl"].map((id) => ({ ...(first.pictures[0] as (typeof first.pictures)[0]), id }));
    source.session = async () => ({ ...first, models: [step("a", 1), step("b", 2)], pictures, model: "a", picture: "cat" });
    source.holds = (model, picture) => (model === "a" ? picture !== "owl" : picture !== "cat");
    const view = new View(source);
    await view.start("");
    expect(view.picturesOf("a").map(({ id }) => id)).toEqual(["cat", "dog"]);
    await view.chooseModel("b");
    expect(view.picture).toBe("dog"); // the first of its own
    await view.choosePicture("owl");
    expect(view.picture).toBe("owl");
    await view.chooseModel("a");
    expect(view.picture).toBe("cat");
  });

  const some = () => {
    const source = new FakeSource([{ name: "conv", shape: [3, 8, 8] }, { name: "conv2", shape: [3, 8, 8] }, { name: "conv3", shape: [3, 4, 4] }]);
    const { map } = source;
    source.run = async (request, listener) => {
      const maps = source.layers.slice(1).map((layer) => map.call(source, layer));
      const run: RunFact = { id: "run", model: request.model, picture: request.picture, recipe: null, recipe_source: null, caption: "", rows: 64, columns: 64, state: "done", done: 2, total: 2, maps, prediction: null, problem: null };
      listener.started(run);
      listener.ended(run);
      return run;
    };
    return new View(source);
  };
  it("opens on a layer that it holds, where the address names none", async () => {
    const view = some();
    await view.start("#/see?at=2,3&channel=7");
    await expect.poll(() => view.layer).toBe("conv2");
    expect([view.channel, view.pixel, view.trail, view.lacking]).toEqual([2, [2, 3], [{ layer: "conv2", index: [2, 2, 3] }], false]);
    await view.goTo("#/see?layer=conv3");
    await view.goTo("#/see");
    expect(view.layer).toBe("conv2");
  });
  it("says that it lacks a layer that is named, and waits for no pixel of it", async () => {
    const view = some();
    await view.start("#/see?layer=conv&at=2,3");
    await expect.poll(() => view.lacking).toBe(true);
    expect([view.layer, view.pixel, view.trail]).toEqual(["conv", null, []]);
    view.chooseLayer("conv3");
    expect(view.lacking).toBe(false);
    view.chooseLayer("conv");
    expect(view.lacking).toBe(true);
    await view.goTo("#/see?layer=conv&at=1,1");
    expect([view.layer, view.pixel]).toEqual(["conv", null]);
  });
  it("says which model it lacks, and opens one that is chosen then", async () => {
    const source = new FakeSource([{ name: "conv", shape: [3, 8, 8] }]);
    const { network } = source;
    source.network = async (of) => (of && "model" in of && of.model === "unknown" ? Promise.reject(new Error("lost")) : network.call(source));
    const view = new View(source);
    await view.start("#/see?model=unknown");
    expect([view.refused, view.network, view.problem?.problem]).toEqual([true, null, "There is no model called “unknown” here"]);
    expect(view.problem?.hint).toContain("list");
    await view.chooseModel((await source.session()).model ?? "");
    expect([view.refused, view.layer]).toEqual([false, "conv"]);
  });
});
