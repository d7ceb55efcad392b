/** Frames against the nodes themselves: each holds all of its scope and nothing else; and what the search finds. */
import { describe, expect, it } from "vitest";
import { arrange } from "../src/layout/arrange";
import { Arranger } from "../src/layout/arranger";
import { framesOf, innerName, type Frame } from "../src/layout/frames";
import { buildGraph, groups, scopeKey, type Graph } from "../src/layout/graph";
import { HEIGHT, WIDTH } from "../src/layout/measures";
import { search } from "../src/panels/network/search";
import type { LayerFact, NetworkFact } from "../src/source/facts";

function layer(name: string, inputs: string[], scope: string[] = [], shape: number[] = [8, 4, 4]): LayerFact {
  return { name, op: "Conv", kind: "convolution", scope, inputs, output_shape: shape, parameters: 0, macs: 0, dtype: "float32", shares: null, notes: [], has_kernels: true, receptive_field: null };
}

function opened(layers: LayerFact[]): Graph {
  const network = { inputs: [{ name: "x", shape: [3, 4, 4], dtype: "float32" }], layers } as unknown as NetworkFact;
  return buildGraph(network, groups(layers), false);
}

function framed(graph: Graph): [Frame[], [number, number][]] {
  const at = arrange({ nodes: graph.nodes.map(({ id }) => id), edges: graph.edges });
  return [framesOf(graph, at), at.nodes];
}

const inside = (frame: Frame, [x, y]: [number, number]) =>
  x - WIDTH / 2 >= frame.x && x + WIDTH / 2 <= frame.x + frame.width && y - HEIGHT / 2 >= frame.y && y + HEIGHT / 2 <= frame.y + frame.height;
const apart = (frame: Frame, [x, y]: [number, number]) =>
  x - WIDTH / 2 >= frame.x + frame.width || x + WIDTH / 2 <= frame.x || y - HEIGHT / 2 >= frame.y + frame.height || y + HEIGHT / 2 <= frame.y;

const BLOCKS = opened([
  layer("stem", ["x"]),
  layer("s/0/a", ["stem"], ["s", "0"]),
  layer("s/0/b", ["s/0/a"], ["s", "0"]),
  layer("s/0/sum", ["s/0/b", "stem"], ["s", "0"]),
  layer("s/1/a", ["s/0/sum"], ["s", "1"]),
  layer("s/1/b", ["s/1/a"], ["s", "1"]),
  layer("head", ["s/1/b"]),
]);

describe("frames", () => {
  it("hold every layer of their scope and no other", () => {
    const [frames, nodes] = framed(BLOCKS);
    expect(frames.map(({ key }) => key)).toEqual([["s"], ["s", "0"], ["s", "1"]].map(scopeKey));
    for (const frame of frames) {
      BLOCKS.nodes.forEach((node, n) => {
        const place = nodes[n] as [number, number];
        expect((node.groups.includes(frame.key) ? inside : apart)(frame, place), `${node.id} in ${frame.key}`).toBe(true);
      });
    }
  });

  it("stand one in another, their names side by side", () => {
    const [[outer, first]] = framed(BLOCKS) as [[Frame, Frame], unknown];
    expect(outer.x).toBeLessThan(first.x);
    expect(outer.y).toBeLessThan(first.y);
    expect(outer.x + outer.width).toBeGreaterThan(first.x + first.width);
    expect(first.chip.x).toBeGreaterThanOrEqual(outer.chip.x + outer.chip.width);
  });

  it("are left out where another's layer would stand inside", () => {
    const between = opened([layer("s/a", ["x"], ["s"]), layer("other", ["s/a"]), layer("s/b", ["other"], ["s"])]);
    expect(between.nodes.filter((node) => node.groups.length)).toHaveLength(2);
    expect(framed(between)[0]).toEqual([]);
  });

  it("say what their nodes needn't say again", () => {
    const key = scopeKey(["s", "0"]);
    expect(innerName("s/0/a", [scopeKey(["s"]), key], new Set([key]))).toBe("a");
    expect(innerName("s.0.a", [scopeKey(["s"]), key], new Set([key]))).toBe("a");
    expect(innerName("s/0/a", [scopeKey(["s"]), key], new Set([scopeKey(["s"])]))).toBe("0/a");
    expect(innerName("s/0/a", [scopeKey(["s"]), key], new Set())).toBe("s/0/a");
    expect(innerName("clip:3", [key], new Set([key]))).toBe("clip:3");
  });
});

describe("the arranger", () => {
  it("skips what was asked and asked anew meanwhile", async () => {
    const arranger = new Arranger(); // no worker here: this thread arranges
    const answered: number[] = [];
    const ask = (count: number) =>
      arranger.arrange({ nodes: Array.from({ length: count }, (_, n) => `n${n}`), edges: [] }).then(({ nodes }) => void answered.push(nodes.length));
    void ask(1);
    void ask(2);
    await ask(3);
    expect(answered).toEqual([1, 3]);
  });
});

describe("the search", () => {
  const layers = [layer("block.conv2", ["x"]), layer("conv2", ["x"]), layer("stem", ["x"], [], [64, 112, 112])];
  const names = (query: string) => search(layers, query).map(({ name }) => name);
  it("puts a layer of exactly this name first", () => expect(names("conv2")).toEqual(["conv2", "block.conv2"]));
  it("reads a shape however it is written", () => {
    for (const query of ["64 x 112", "64x112", "64×112x112", "64 * 112"]) expect(names(query), query).toEqual(["stem"]);
  });
  it("wants every word", () => {
    expect(names("conv block")).toEqual(["block.conv2"]);
    expect(names("conv nothing")).toEqual([]);
  });
});
