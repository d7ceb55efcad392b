/** The graph that is shown against the network itself: no edge lost, none invented; and how long a large one takes. */
import { describe, expect, it } from "vitest";
import { arrange } from "../src/layout/arrange";
import { buildGraph, firstOpen, groups, scopeKey, type Graph } from "../src/layout/graph";
import { HEIGHT } from "../src/layout/measures";
import type { LayerFact, NetworkFact } from "../src/source/facts";

function layer(name: string, inputs: string[], scope: string[] = [], kind = "convolution"): LayerFact {
  return { name, op: "Conv", kind, scope, inputs, output_shape: [8, 4, 4], parameters: 0, macs: 0, dtype: "float32", shares: null, notes: [], has_kernels: true, receptive_field: null };
}

function network(layers: LayerFact[]): NetworkFact {
  return {
    model: { id: "m", name: "m", engine: "onnx", title: null, says: null, step: null },
    inputs: [{ name: "x", shape: [3, null, 4], dtype: "float32" }],
    outputs: [],
    layers,
    parameters: 0,
    macs: 0,
    notes: [],
    recipe: { resize: "", size: null, crop: 1, interpolation: "", channels: "RGB", scale: 1, mean: [], std: [], notes: [] },
    recipe_source: "",
  };
}

const pairs = (graph: Graph) => graph.edges.map(({ from, to }) => `${from} > ${to}`).sort();
const RESIDUAL = network([layer("a", ["x"]), layer("b", ["a"], ["s"]), layer("c", ["b"], ["s"]), layer("sum", ["c", "a"], [], "add")]);

describe("the graph", () => {
  it("keeps both ways of a residual block", () => {
    const graph = buildGraph(RESIDUAL, groups(RESIDUAL.layers), false);
    expect(pairs(graph)).toEqual(["input:x > layer:a", "layer:a > layer:b", "layer:a > layer:sum", "layer:b > layer:c", "layer:c > layer:sum"]);
    expect(graph.nodes[0]?.shape).toBe("3 × ? × 4");
  });

  it("keeps every branch of a concatenation", () => {
    const branches = network([layer("a", ["x"]), layer("b", ["x"]), layer("c", ["a"]), layer("cat", ["a", "b", "c"], [], "concat")]);
    expect(pairs(buildGraph(branches, new Set(), false))).toEqual([
      "input:x > layer:a",
      "input:x > layer:b",
      "layer:a > layer:c",
      "layer:a > layer:cat",
      "layer:b > layer:cat",
      "layer:c > layer:cat",
    ]);
  });

  it("merges the edges of a closed scope", () => {
    const scope = `scope:${scopeKey(["s"])}`;
    const graph = buildGraph(RESIDUAL, new Set(), false);
    expect(pairs(graph)).toEqual(["input:x > layer:a", `layer:a > ${scope}`, "layer:a > layer:sum", `${scope} > layer:sum`].sort());
    expect(graph.nodes.find((node) => node.id === scope)?.layers).toEqual(["b", "c"]);
  });

  it("passes through plumbing, and shows it when asked", () => {
    const plumbed = network([layer("a", ["x"]), layer("p", ["a"], [], "plumbing"), layer("q", ["p"], [], "plumbing"), layer("b", ["q"])]);
    expect(pairs(buildGraph(plumbed, new Set(), false))).toEqual(["input:x > layer:a", "layer:a > layer:b"]);
    expect(pairs(buildGraph(plumbed, new Set(), true))).toContain("layer:q > layer:b");
  });

  it("begins closed only where there are many layers", () => {
    expect(firstOpen(RESIDUAL)).toEqual(new Set([scopeKey(["s"])]));
    const many = network(Array.from({ length: 80 }, (_, n) => layer(`l${n}`, [n ? `l${n - 1}` : "x"], ["all", String(Math.floor(n / 8))])));
    expect(firstOpen(many)).toEqual(new Set([scopeKey(["all"])]));
    const graph = buildGraph(many, firstOpen(many), false);
    expect(graph.nodes).toHaveLength(11); // ten scopes and the input
    expect(graph.edges).toHaveLength(10);
  });

  it("has the same ways from layer to layer as the network, whichever scopes are open", () => {
    let seed = 7;
    const draw = (below: number) => (seed = (seed * 48271) % 2147483647) % below;
    for (let round = 0; round < 40; round++) {
      const layers = Array.from({ length: 24 }, (_, n) => {
        const inputs = [...new Set([0, 1].map(() => (n && draw(9) ? `l${draw(n)}` : "x")))];
        return layer(`l${n}`, inputs, [String(Math.floor(n / 8)), String(draw(2))]);
      });
      const drawn = network(layers);
      const open = new Set([...groups(layers)].filter(() => draw(2)));
      const graph = buildGraph(drawn, open, false);
      const idOf = new Map<string, string>([["x", "input:x"]]);
      for (const node of graph.nodes) for (const name of node.layers) idOf.set(name, node.id);
      const expected = new Set(layers.flatMap((to) => to.inputs.map((from) => [idOf.get(from), idOf.get(to.name)] as const)).filter(([a, b]) => a !== b).map(([a, b]) => `${a} > ${b}`));
      expect(pairs(graph)).toEqual([...expected].sort());
      expect(graph.nodes.flatMap((node) => node.layers).sort()).toEqual(layers.map(({ name }) => name).sort());
    }
  });
});

describe("the arrangement", () => {
  it("puts every layer below what it reads", () => {
    const graph = buildGraph(RESIDUAL, groups(RESIDUAL.layers), false);
    const plan = { nodes: graph.nodes.map(({ id }) => id), edges: graph.edges };
    const { nodes, edges } = arrange(plan);
    const y = new Map(plan.nodes.map((id, n) => [id, nodes[n]?.[1] ?? NaN]));
    for (const { from, to } of plan.edges) expect((y.get(to) ?? NaN) - (y.get(from) ?? NaN)).toBeGreaterThan(HEIGHT);
    expect(edges.every((points) => points.length >= 2)).toBe(true);
  });

  it("places each of 1,000 layers below those that it reads, residuals included", () => {
    const nodes = Array.from({ length: 1000 }, (_, n) => `n${n}`);
    const edges = nodes.slice(1).map((to, n) => ({ from: `n${n}`, to }));
    for (let n = 4; n < 1000; n += 4) edges.push({ from: `n${n - 4}`, to: `n${n}` });
    const heights = new Map(arrange({ nodes, edges }).nodes.map(([, y], n) => [`n${n}`, y]));
    expect(heights.size).toBe(1000);
    for (const { from, to } of edges) expect(heights.get(from) ?? NaN).toBeLessThan(heights.get(to) ?? NaN);
  });
});
