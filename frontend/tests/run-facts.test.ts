/** Every size that is shown beside maps is one of their own run: a network of free size has others for each picture. */
import { describe, expect, it } from "vitest";
import type { DerivationFact, MapFact, NetworkFact, PictureFact, RunFact } from "../src/source/facts";
import type { Of, RunListener, RunRequest } from "../src/source/source";
import { View } from "../src/state/view.svelte";
import { FakeSource } from "./fake";

const SIDES: Record<string, number> = { small: 12, large: 40, wide: 90 };
const STATED = 224; // what is taken for a free size before there is a picture

const pause = (turns: number) => new Promise<void>((done) => (turns > 0 ? setTimeout(() => void pause(turns - 1).then(done), 0) : done()));

/** A network of free size: each picture makes maps of its own. Answers take as many turns as `slow` says. */
class Free extends FakeSource {
  readonly derived: Of[] = [];

  constructor(private readonly slow: () => number) {
    super([]);
  }

  sized(side: number): FakeSource {
    return new FakeSource([{ name: "conv", shape: [4, side - 2, side - 2] }, { name: "pool", shape: [4, (side - 2) / 2, (side - 2) / 2] }]);
  }

  override async session() {
    const session = await super.session();
    const [first] = session.pictures;
    const pictures = Object.keys(SIDES).map((id) => ({ ...(first as PictureFact), id, name: id }));
    return { ...session, pictures, picture: "small" };
  }

  override async network(of?: Of): Promise<NetworkFact> {
    await pause(this.slow());
    const side = of && "run" in of ? (SIDES[of.run.split(" ")[1] ?? ""] ?? 0) : STATED;
    const network = await this.sized(side).network();
    return { ...network, macs: side, inputs: network.inputs.map((input) => ({ ...input, shape: [3, side, side] })) };
  }

  override async run(request: RunRequest, listener: RunListener, signal?: AbortSignal): Promise<RunFact> {
    await pause(this.slow());
    const side = SIDES[request.picture] ?? 0;
    const sized = this.sized(side);
    const maps: MapFact[] = sized.layers.map((layer) => sized.map(layer));
    const plain = { recipe: null, recipe_source: null, caption: "", prediction: null, problem: null, total: 2 };
    const run: RunFact = { ...plain, id: `run ${request.picture}`, model: request.model, picture: request.picture, rows: 0, columns: 0, state: "running", done: 0, maps: [] };
    listener.started(run);
    for (const [n, map] of maps.entries()) {
      await pause(this.slow());
      signal?.throwIfAborted();
      listener.arrived(map, n + 1, 2);
    }
    const ended: RunFact = { ...run, rows: side, columns: side, state: "done", done: 2, maps };
    listener.ended(ended);
    return ended;
  }

  override derivation = async (of?: Of): Promise<DerivationFact> => {
    if (of) this.derived.push(of);
    return { layer: "conv", heading: "", text: "", latex: "", lines: [] };
  };
}

/** What is wrong with what is shown: a size that isn't the shown maps' own. */
function wrong(view: View): string[] {
  const shapes = [...view.maps.values()].flatMap(({ layer, shape }) => {
    const told = view.network?.layers.find(({ name }) => name === layer)?.output_shape;
    return String(told) === String(shape) ? [] : [`${layer} is ${String(shape)}, told ${String(told)}`];
  });
  const run = view.maps.size > 0 && !(view.of && "run" in view.of && view.of.run === view.run?.id) ? ["facts aren't asked of the run"] : [];
  const read = view.read && view.read.rows < 1 ? ["a picture of no size"] : [];
  return [...shapes, ...run, ...read];
}

describe("a network of free size", () => {
  it("is told at the sizes of the picture that is shown, to and fro, whatever answers first", async () => {
    for (let seed = 1; seed <= 12; seed++) {
      let state = seed;
      const slow = () => (state = (Math.imul(state, 48271) >>> 0) % 2147483647) % 4;
      const view = new View(new Free(slow));
      const starting = view.start("#/see?at=30,30");
      const faults = new Set<string>();
      const look = async (turns: number) => {
        for (let n = 0; n < turns; n++) {
          for (const fault of wrong(view)) faults.add(fault);
          await pause(1);
        }
      };
      await look(3);
      await starting;
      for (const picture of ["large", "small", "wide", "large", "small"]) {
        void view.choosePicture(picture);
        await look(slow() * 6);
      }
      await look(40);
      expect([...faults]).toEqual([]);
      expect([view.progress, view.run?.picture, view.network?.macs, view.map?.rows]).toEqual([null, "small", 12, 10]);
      expect(view.problem).toBeNull();
    }
  });

  it("is told as the model states it until there is a run", async () => {
    const source = new Free(() => 0);
    const session = await source.session();
    source.session = async () => ({ ...session, pictures: [], picture: null as unknown as string });
    const view = new View(source);
    await view.start("");
    expect([view.network?.macs, view.of]).toEqual([STATED, { model: "fake" }]);
  });

  it("keeps the pixel of a link for the run's own maps, larger than the model states", async () => {
    const view = new View(new Free(() => 1));
    await view.start("#/see?picture=wide&layer=conv&at=80,87");
    await expect.poll(() => view.progress).toBeNull();
    expect([view.index, view.misfits]).toEqual([[0, 80, 87], []]);
  });
});
