/** Answers that come out of order: what is shown is what was asked for last. */
import { describe, expect, it } from "vitest";
import { Explaining } from "../src/panels/explanation/loading.svelte";
import { Effective } from "../src/panels/picture/effective.svelte";
import { ExactField } from "../src/panels/picture/exact.svelte";
import type { ExplanationFact, ModelFact, NetworkFact, PictureFact } from "../src/source/facts";
import type { Of } from "../src/source/source";
import { Latest } from "../src/state/latest";
import { kindOf } from "../src/state/opening";
import { View } from "../src/state/view.svelte";
import { FakeSource } from "./fake";

/** Questions that are answered when the test says so. */
class Held<T> {
  readonly asked: { what: string; answer: (value: T) => void; fail: (error: Error) => void }[] = [];

  ask(what: string): Promise<T> {
    return new Promise((answer, fail) => this.asked.push({ what, answer, fail }));
  }

  of(what: string) {
    const found = this.asked.findLast((one) => one.what === what);
    if (!found) throw new Error(`nobody asked for ${what}`);
    return found;
  }
}

async function settled(): Promise<void> {
  for (let n = 0; n < 20; n++) await new Promise((done) => setTimeout(done, 0));
}

/** All orders in which so many answers can come. */
function orders(count: number): number[][] {
  if (count === 0) return [[]];
  return orders(count - 1).flatMap((order) => Array.from({ length: count }, (_, at) => order.toSpliced(at, 0, count - 1)));
}

describe("questions of which the last one counts", () => {
  it.each(orders(4))("answered in the order %i %i %i %i", async (...order) => {
    const [latest, held, taken, refused] = [new Latest(), new Held<number>(), [] as number[], [] as unknown[]];
    const ends = [0, 1, 2, 3].map((n) => latest.ask(() => held.ask(String(n)), (found) => void taken.push(found), (error) => refused.push(error)));
    for (const n of order) {
      if (n === 1) held.of("1").fail(new Error("late"));
      else held.of(String(n)).answer(n);
    }
    expect(await Promise.all(ends)).toEqual([false, false, false, true]);
    expect([taken, refused]).toEqual([[3], []]);
  });

  it("tell their signal that they were given up, and their error if they weren't", async () => {
    const latest = new Latest();
    const signals: AbortSignal[] = [];
    const refused: unknown[] = [];
    const ask = () => latest.ask((signal) => (signals.push(signal), Promise.reject(new Error("no"))), () => undefined, (error) => refused.push(error));
    await Promise.all([ask(), ask()]);
    expect([signals.map(({ aborted }) => aborted), refused.length]).toEqual([[true, false], 1]);
    void latest.ask((signal) => (signals.push(signal), new Promise(() => undefined)), () => undefined);
    latest.drop();
    expect(signals[2]?.aborted).toBe(true);
  });
});

const model = (id: string): ModelFact => ({ id, name: id, engine: "", title: null, says: null, step: null });
const picture = (id: string): PictureFact => ({ id, name: id, rows: 8, columns: 8, channels: 3, sample: true, credit: null, notes: [] });

/** A source whose networks and uploads are answered by hand. */
class Slow extends FakeSource {
  readonly networks = new Held<null>();
  readonly sent = new Held<null>();
  readonly ran: string[] = [];

  override async session() {
    const session = await super.session();
    const limits = { ...session.limits, upload_model: true };
    return { ...session, limits, models: ["a", "b", "c", "d"].map(model), pictures: ["p", "q"].map(picture), model: "a", picture: "p" };
  }

  override async network(of?: Of): Promise<NetworkFact> {
    const id = !of ? "" : "model" in of ? of.model : (this.ran.at(-1)?.split(" ")[0] ?? "");
    if (of && "model" in of && id !== "a") await this.networks.ask(id);
    return { ...(await super.network()), model: model(id) };
  }

  override run: FakeSource["run"] = async (request, listener) => {
    this.ran.push(`${request.model} ${request.picture}`);
    return FakeSource.prototype.run.call(this, request, listener);
  };

  override addPicture = async (file?: Blob, name = ""): Promise<PictureFact> => (void file, await this.sent.ask(name), picture(name));
  override addModel = async (file?: Blob, name = ""): Promise<ModelFact> => (void file, await this.sent.ask(name), model(name));
}

async function opened() {
  const source = new Slow([{ name: "conv", shape: [4, 8, 8] }, { name: "relu", shape: [4, 8, 8] }]);
  const view = new View(source);
  await view.start("#/see?layer=relu");
  await settled();
  return { source, view };
}

describe("a choice that is answered late", () => {
  it.each(orders(3))("of a model, answered in the order %i %i %i", async (...order) => {
    const { source, view } = await opened();
    for (const id of ["b", "c", "d"]) void view.chooseModel(id);
    for (const n of order) {
      source.networks.of("bcd"[n] ?? "").answer(null);
      await settled();
    }
    expect([view.model, view.network?.model.id, view.run?.model, view.layer]).toEqual(["d", "d", "d", "relu"]);
    expect(source.ran).toEqual(["a p", "d p"]);
    expect(view.problem).toBeNull();
  });

  it("is dropped with its error, and leaves what was chosen since", async () => {
    const { source, view } = await opened();
    void view.chooseModel("b");
    void view.goTo("#/see?model=a&layer=conv&channel=2");
    source.networks.of("b").fail(new Error("late"));
    await settled();
    expect([view.model, view.layer, view.channel, view.problem]).toEqual(["a", "conv", 2, null]);
  });

  it("of a picture is for the model that was chosen before it, though that isn't there yet", async () => {
    const { source, view } = await opened();
    void view.chooseModel("b");
    void view.choosePicture("q");
    await settled();
    expect(source.ran).toEqual(["a p"]); // what is chosen together is run together
    for (const { answer } of source.networks.asked) answer(null);
    await settled();
    expect([view.model, view.picture, view.layer, source.ran]).toEqual(["b", "q", "relu", ["a p", "b q"]]);
  });

  it("of a file is in the list, and isn't shown where something else was chosen meanwhile", async () => {
    const { source, view } = await opened();
    void view.open(new Blob(), "mine.png");
    void view.choosePicture("q");
    source.sent.of("mine.png").answer(null);
    await settled();
    expect([view.picture, view.pictures.map(({ id }) => id)]).toEqual(["q", ["p", "q", "mine.png"]]);
    void view.open(new Blob(), "mine.onnx");
    void view.chooseModel("a");
    source.sent.of("mine.onnx").answer(null);
    await settled();
    expect([view.model, view.session?.models.at(-1)?.id]).toEqual(["a", "mine.onnx"]);
  });

  it("is given up where a step of a training is shown", async () => {
    const { source, view } = await opened();
    const { network, run } = view;
    if (!network || !run) throw new Error("nothing is shown");
    void view.chooseModel("b");
    view.become(network, run);
    source.networks.of("b").answer(null);
    await settled();
    expect(view.model).toBe("a");
  });
});

describe("what a panel asked for", () => {
  const at = (layer: string, n: number) => [`run ${layer} ${n}`, "run", layer, [n, 0, 0]] as const;

  it.each(orders(3))("explanations, in the order %i %i %i", async (...order) => {
    const { source, view } = await opened();
    const held = new Held<ExplanationFact>();
    source.explanation = (_run?: string, layer = "", index: number[] = []) => held.ask(`${layer} ${index.join()}`);
    const explaining = new Explaining(view);
    const asked = [0, 1, 2].map((n) => {
      view.chooseChannel(n);
      view.choosePixel(1, 1);
      void explaining.follow();
      return `relu ${n},1,1`;
    });
    for (const n of order) {
      held.of(asked[n] ?? "").answer({ layer: "relu", index: [n, 1, 1] } as unknown as ExplanationFact);
      await settled();
      const shown = explaining.found as ExplanationFact | null;
      expect(shown === null || String(shown.index) === "2,1,1").toBe(true);
    }
    expect([explaining.current, explaining.loading]).toEqual([true, false]);
  });

  it.each(orders(3))("effective fields, in the order %i %i %i", async (...order) => {
    const held = new Held<[never, never]>();
    const source = { effective: (_run: string, layer: string, index: number[]) => held.ask(`run ${layer} ${index[0]}`) };
    const effective = new Effective(source as never);
    effective.toggle();
    for (const n of [0, 1, 2]) effective.follow(...(at("conv", n).slice(1) as ["run", string, number[]]));
    for (const n of order) {
      held.of(at("conv", n)[0]).answer([`fact ${n}` as never, `values ${n}` as never]);
      await settled();
    }
    expect([effective.fact, effective.values, effective.working]).toEqual(["fact 2", "values 2", false]);
  });

  it("exact fields: the last one that the cursor rested on", async () => {
    const held = new Held<{ exact: boolean } | null>();
    const source = { field: (_run: string, layer: string, index: number[]) => held.ask(`${layer} ${index[0]}`) };
    const field = new ExactField(source as never);
    for (const n of [0, 1]) {
      field.follow("run", "conv", [n, 0, 0]);
      await expect.poll(() => held.asked.length).toBe(n + 1);
    }
    held.of("conv 1").answer({ exact: true });
    held.of("conv 0").answer(null);
    await settled();
    expect(field.box).toEqual({ exact: true });
  });
});

describe("a file that a person opens", () => {
  const file = (name: string, type = "") => [name, kindOf(new Blob([], { type }), name)];

  it("is a picture unless its name says that it is a model", () => {
    expect(["a.png", "a", "a.onnx.png", "onnx", "a.PT.jpeg"].map((name) => file(name)[1])).toEqual(Array(5).fill("picture"));
    expect(["a.onnx", "A.ONNX"].map((name) => file(name)[1])).toEqual(["sendable", "sendable"]);
    expect(["a.keras", "a.h5", "a.pt", "a.pt2", "my model.pth"].map((name) => file(name)[1])).toEqual(Array(5).fill("opened"));
    expect(file("a.tflite")[1]).toBe("foreign");
    expect(file("odd.onnx", "image/png")[1]).toBe("picture");
  });

  it.each([
    ["mine.onnx", false, "convlens view mine.onnx"],
    ["my net.pt", true, "convlens view 'my net.pt'"],
    ["it's.keras", true, "convlens view 'it'\\''s.keras'"],
    ["small.tflite", true, "Convert it to ONNX"],
  ])("%s is told what to do with it, where models are taken: %s", async (name, takes, hint) => {
    const { source, view } = await opened();
    if (view.session && !takes) view.session = { ...view.session, limits: { ...view.session.limits, upload_model: false } };
    await view.open(new Blob(), name);
    expect(view.problem?.problem).toContain(name);
    expect(view.problem?.hint).toContain(hint);
    expect(source.sent.asked).toEqual([]);
  });
});
