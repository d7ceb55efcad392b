/** The steps of a training: one entry in the menu, everything stays but the model, colours over all of them. */
import { describe, expect, test } from "vitest";
import { curve, marksOf } from "../src/panels/timeline/curve";
import type { MapFact, ModelFact, NetworkFact, RunFact } from "../src/source/facts";
import type { Of, RunListener, RunRequest } from "../src/source/source";
import { format, parse, START } from "../src/state/address";
import { choices, sameDrawing, stepsOfTraining, trainingOf } from "../src/state/training.svelte";
import { View } from "../src/state/view.svelte";
import { FakeSource } from "./fake";

function model(id: string, number: number | null, pictures: string[] = []): ModelFact {
  const step = number === null ? null : { timeline: "t", number, label: "", loss: 1 / (number + 1), accuracy: null, pictures };
  return { id, name: number === null ? id : "t", engine: "", title: null, says: null, step };
}

const MODELS = [model("alone", null), model("t-0", 0), model("t-1", 1), model("t-2", 2)];

describe("the menu", () => {
  test("a training is one entry: the step that is shown, else the last", () => {
    expect(choices(MODELS, "alone").map(({ id }) => id)).toEqual(["alone", "t-2"]);
    expect(choices(MODELS, "t-1").map(({ id }) => id)).toEqual(["alone", "t-1"]);
  });

  test("the steps in their order", () => {
    const session = { models: MODELS } as Parameters<typeof stepsOfTraining>[0];
    expect(stepsOfTraining(session, "t").map(({ id }) => id)).toEqual(["t-0", "t-1", "t-2"]);
    expect(stepsOfTraining(session, null)).toEqual([]);
  });
});

test("the address says it where each step has colours of its own", () => {
  expect(parse(format({ ...START, together: false })).together).toBe(false);
  expect(format(START)).not.toContain("steps");
  expect(parse("#/see").together).toBe(true);
});

describe("the curve", () => {
  test("the smallest value is at the bottom, and a value that is missing leaves no point", () => {
    const found = curve([null, 2, 0, 1], (place) => place * 10, 28);
    expect(found?.points).toEqual([null, [10, 4], [20, 24], [30, 14]]);
    expect(found?.path).toBe("M10.0 4.0L20.0 24.0L30.0 14.0");
    expect(curve([null, 1], (place) => place, 28)).toBeNull();
  });

  test("it breaks off where a value isn't finite, and goes on past one that isn't known", () => {
    const found = curve([2, 0, "NaN", 1, "Infinity", 2, null, 0], (place) => place * 10, 28);
    expect(found?.path).toBe("M0.0 4.0L10.0 24.0M30.0 14.0m-2.5 0h5M50.0 4.0L70.0 24.0");
    expect(found?.points[2]).toBeNull();
    expect(found?.points[4]).toBeNull();
    expect(curve(["NaN", "NaN", 1], (place) => place, 28)).toBeNull();
  });

  test("as many numbers as have room, the first and the last among them", () => {
    const numbers = [0, 1, 2, 3, 4, 5];
    expect(marksOf(numbers, (place) => place * 50, 40).map(({ number }) => number)).toEqual(numbers);
    expect(marksOf(numbers, (place) => place * 20, 40).map(({ number }) => number)).toEqual([0, 2, 5]);
  });
});

const LAYERS = [{ name: "conv", shape: [4, 8, 8] }, { name: "relu", shape: [4, 8, 8] }];

/** A training of three steps, whose runs have the values 0 to 1, 0 to 2, 0 to 3. */
class Trained extends FakeSource {
  override async session() {
    const session = await super.session();
    return { ...session, models: MODELS, model: "t-0" };
  }

  override async network(of?: Of): Promise<NetworkFact> {
    const found = await super.network();
    const id = of && ("model" in of ? of.model : of.run.replace("run-", ""));
    return { ...found, model: MODELS.find((one) => one.id === id) ?? found.model };
  }

  override async run(request: RunRequest, listener: RunListener): Promise<RunFact> {
    const made = await super.run(request, { started: () => undefined, arrived: () => undefined, ended: () => undefined });
    const maximum = Number(request.model.slice(-1)) + 1;
    const run = { ...made, id: `run-${request.model}`, model: request.model, picture: request.picture, maps: made.maps.map((map: MapFact) => ({ ...map, minimum: 0, maximum })) };
    listener.started(run);
    listener.ended(run);
    return run;
  }
}

async function settled(): Promise<void> {
  for (let n = 0; n < 30; n++) await new Promise((done) => setTimeout(done, 0));
}

async function opened() {
  const view = new View(new Trained(LAYERS));
  await view.start("#/see");
  await settled();
  const training = trainingOf(view);
  training.follow();
  await settled();
  return { view, training };
}

describe("another step", () => {
  test("keeps layer, channel and tab, and changes the maps at once", async () => {
    const { view, training } = await opened();
    expect([view.model, training.at]).toEqual(["t-0", 0]);
    view.chooseTab("kernels");
    const [layer, channel] = [view.layer, view.channel];
    expect(training.move(2)).toBe(true);
    expect(training.at).toBe(2); // the slider is there already
    await settled();
    expect([view.model, view.layer, view.channel, view.tab, view.run?.id]).toEqual(["t-2", layer, channel, "kernels", "run-t-2"]);
    expect(view.map?.maximum).toBe(3);
    expect(training.move(1)).toBe(false);
  });

  test("a colour means the same at every step, unless each has its own", async () => {
    const { view, training } = await opened();
    const map = view.map as MapFact;
    expect(map.maximum).toBe(1);
    expect(training.widened(map).maximum).toBe(3);
    view.setColours({ together: false });
    expect(training.widened(map).maximum).toBe(1);
  });

  test("is drawn as the same network", async () => {
    const { view } = await opened();
    const [one, other] = await Promise.all([view.source.network({ model: "t-0" }), view.source.network({ model: "t-1" })]);
    expect(sameDrawing(one, other)).toBe(true);
    expect(sameDrawing(one, await view.source.network({ model: "alone" }))).toBe(false);
    expect(sameDrawing(one, { ...other, layers: other.layers.slice(1) })).toBe(false);
  });
});

test("pictures that belong to a training are offered with it alone", async () => {
  const view = new View(new Trained(LAYERS));
  await view.start("#/see");
  const [first] = view.pictures;
  if (!view.session || !first) throw new Error("no picture");
  view.pictures = [{ ...first, id: "cat", sample: true }, { ...first, id: "seven", sample: true }, { ...first, id: "own", sample: false }];
  view.session = { ...view.session, models: [model("alone", null), model("t-0", 0, ["seven"])] };
  expect(view.picturesOf("alone").map(({ id }) => id)).toEqual(["cat", "own"]);
  expect(view.picturesOf("t-0").map(({ id }) => id)).toEqual(["seven", "own"]);
});
