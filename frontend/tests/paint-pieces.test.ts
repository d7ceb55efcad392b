/** What is kept, asked for and given up: bounded, each thing once, each value the true one. */
import { describe, expect, it } from "vitest";
import { Kept } from "../src/paint/kept";
import { Pieces, tileOf } from "../src/paint/pieces";
import { Queue } from "../src/paint/queue";
import { batchOf, wishesFor } from "../src/panels/maps/wishes";
import { FakeSource, waves } from "./fake";

const source = () => new FakeSource([{ name: "conv", shape: [40, 300, 500] }]);
const signal = new AbortController().signal;

describe("what is kept", () => {
  it("never exceeds its bytes, and the least lately used goes first", () => {
    const dropped: string[] = [];
    const kept = new Kept<number>(30, (key) => dropped.push(key));
    kept.set("a", 1, 10);
    kept.set("b", 2, 10);
    kept.set("c", 3, 10);
    expect(kept.get("a")).toBe(1);
    kept.set("d", 4, 10);
    expect(dropped).toEqual(["b"]);
    expect([kept.bytes, kept.size]).toEqual([30, 3]);
    kept.set("large", 5, 100);
    expect(dropped).toEqual(["b", "c", "a", "d"]);
    expect(kept.get("large")).toBe(5);
  });
});

describe("pieces", () => {
  it("forget the maps of a batch that was dropped", async () => {
    const pieces = new Pieces(source(), 300 * 500 * 8 * 3);
    const which = { run: "run", layer: "conv", level: 0, slice: 0 };
    await pieces.loadWholes(which, [0, 1], signal);
    expect(pieces.whole(which, 1)?.n).toBe(1);
    await pieces.loadWholes(which, [4, 5], signal);
    expect(pieces.hasWhole(which, 0)).toBe(false);
    expect(pieces.whole(which, 5)?.piece.channels).toEqual([4, 5]);
    expect(pieces.bytes).toBe(300 * 500 * 8 * 2);
  });

  it.each([
    [0, 0],
    [255, 256],
    [256, 255],
    [299, 499],
  ])("read the true value at %i, %i from a tile", async (row, column) => {
    const fake = source();
    const pieces = new Pieces(fake);
    const at = { channel: 7, slice: 0, row, column };
    const map = fake.map(fake.layer("conv"));
    expect(pieces.value("run", map, at)).toBeUndefined();
    await pieces.loadTile("run", tileOf("conv", at));
    expect(pieces.value("run", map, at)).toEqual({ value: waves(7, row, column, 0), near: false });
  });

  it("show what stands in, read no value of it, and ask for the maps themselves", async () => {
    const fake = source();
    const asked: boolean[] = [];
    const maps = fake.maps.bind(fake);
    fake.maps = async (run, layer, level, channels, slice, given, soon = false) => {
      asked.push(soon);
      return { ...(await maps(run, layer, level, channels, slice, given)), standsIn: soon };
    };
    const pieces = new Pieces(fake);
    const map = fake.map(fake.layer("conv"));
    const which = { run: "run", layer: "conv", level: 0, slice: 0 };
    const at = { channel: 7, slice: 0, row: 3, column: 4 };
    await pieces.loadWholes(which, [7], signal);
    expect([pieces.whole(which, 7)?.n, pieces.hasWhole(which, 7), pieces.value("run", map, at)]).toEqual([0, false, undefined]);
    expect(wishesFor(pieces, which, map, [7], 0, 1, "")).toHaveLength(1);
    await pieces.loadWholes(which, [7], signal);
    expect([pieces.hasWhole(which, 7), pieces.value("run", map, at)?.value]).toEqual([true, waves(7, 3, 4, 0)]);
    expect(asked).toEqual([true, false]);
  });

  it("read no value from a coarser level", async () => {
    const fake = source();
    const pieces = new Pieces(fake);
    await pieces.loadWholes({ run: "run", layer: "conv", level: 1, slice: 0 }, [7], signal);
    expect(pieces.value("run", fake.map(fake.layer("conv")), { channel: 7, slice: 0, row: 0, column: 0 })).toBeUndefined();
  });
});

describe("wishes", () => {
  const map = { ...source().map({ name: "conv", shape: [2048, 7, 7] }) };
  const order = Array.from({ length: 2048 }, (_, n) => n);
  const which = { run: "run", layer: "conv", level: 0, slice: 0 };

  it("are for what is seen, its middle first, and none twice", async () => {
    const pieces = new Pieces(new FakeSource([{ name: "conv", shape: [2048, 7, 7] }]));
    const wishes = wishesFor(pieces, which, map, order, 100, 60, "number");
    expect(wishes.map((wish) => Number(wish.key.split(" ").pop()))).toEqual([4, 3]);
    await wishes[0]?.load(signal);
    expect(wishesFor(pieces, which, map, order, 100, 60, "number")).toHaveLength(1);
    expect(pieces.hasWhole(which, 128)).toBe(true);
    expect(pieces.hasWhole(which, 127)).toBe(false);
  });

  it("are small where maps are large", () => {
    const large = source().map({ name: "x", shape: [64, 1438, 1078] });
    expect(batchOf(large, 3, 8192)).toBe(10);
    expect(batchOf(large, 0, 8192)).toBe(1);
  });
});

describe("the queue", () => {
  it("loads the urgent first, keeps what is still wanted and gives up the rest", async () => {
    const began: string[] = [];
    const ended: string[] = [];
    const open = new Map<string, () => void>();
    const wish = (key: string) => ({
      key,
      load: (given: AbortSignal) =>
        new Promise<void>((resolve, reject) => {
          began.push(key);
          open.set(key, resolve);
          given.addEventListener("abort", () => (ended.push(`${key} aborted`), reject(new Error("aborted"))));
        }),
    });
    let arrived = 0;
    const queue = new Queue(() => arrived++, 2);
    queue.want(["a", "b", "c"].map(wish));
    expect(began).toEqual(["a", "b"]);
    queue.want(["d", "b"].map(wish));
    expect(ended).toEqual(["a aborted"]);
    expect(began).toEqual(["a", "b", "d"]);
    open.get("b")?.();
    await new Promise((resolve) => setTimeout(resolve));
    expect(arrived).toBe(1);
    queue.stop();
    expect(ended).toEqual(["a aborted", "d aborted"]);
  });

  it("doesn't ask again for what failed until it was wanted no more", async () => {
    let asked = 0;
    const wish = { key: "a", load: () => (asked++, Promise.reject(new Error("lost"))) };
    const queue = new Queue(() => undefined);
    queue.want([wish]);
    await new Promise((resolve) => setTimeout(resolve));
    queue.want([wish]);
    expect(asked).toBe(1);
    queue.want([]);
    queue.want([wish]);
    expect(asked).toBe(2);
  });
});
