/** The graph that is shown: layers, closed scopes and network inputs as nodes, merged truly from the network's own edges. */
import type { LayerFact, NetworkFact } from "../source/facts";

export interface GraphNode {
  id: string;
  label: string;
  op: string;
  kind: string;
  shape: string;
  what: "layer" | "scope" | "input";
  /** Keys of the open scopes around it, outermost first. */
  groups: string[];
  /** The layers that it stands for. */
  layers: string[];
}

export interface GraphEdge {
  from: string;
  to: string;
  shape: string;
}

export interface Graph {
  nodes: GraphNode[];
  edges: GraphEdge[];
}

/** Beyond so many layers, scopes begin closed. */
export const MANY_LAYERS = 60;

/** A path as a key; JSON, since a scope's own name may hold any character. */
export const scopeKey = (path: readonly string[]): string => JSON.stringify(path);
const layerId = (name: string) => `layer:${name}`;

export const shapeWords = (shape: readonly (number | null)[]): string => shape.map((size) => size ?? "?").join(" × ");

/** The layers to show: all but plumbing, unless there is nothing else or it is asked for. */
export function shownLayers(network: NetworkFact, plumbing: boolean): LayerFact[] {
  const shown = network.layers.filter((layer) => plumbing || layer.kind !== "plumbing");
  return shown.length > 0 ? shown : network.layers;
}

/** Keys of the scopes that hold two shown layers or more: a group of one would only hide a name. */
export function groups(layers: readonly LayerFact[]): Set<string> {
  const counts = new Map<string, number>();
  for (const { scope } of layers) {
    for (let depth = 1; depth <= scope.length; depth++) {
      const key = scopeKey(scope.slice(0, depth));
      counts.set(key, (counts.get(key) ?? 0) + 1);
    }
  }
  return new Set([...counts].filter(([, count]) => count > 1).map(([key]) => key));
}

/** The groups around a layer, outermost first. */
export function groupsOf(layer: LayerFact, all: ReadonlySet<string>): string[] {
  return layer.scope.map((_, depth) => scopeKey(layer.scope.slice(0, depth + 1))).filter((key) => all.has(key));
}

/** Which scopes are open at first: all in a small network; in a large one those that hold half of it or more. */
export function firstOpen(network: NetworkFact): Set<string> {
  const layers = shownLayers(network, false);
  const all = groups(layers);
  if (layers.length <= MANY_LAYERS) return all;
  const counts = new Map<string, number>();
  for (const layer of layers) for (const key of groupsOf(layer, all)) counts.set(key, (counts.get(key) ?? 0) + 1);
  return new Set([...all].filter((key) => (counts.get(key) ?? 0) * 2 >= layers.length));
}

export function buildGraph(network: NetworkFact, open: ReadonlySet<string>, plumbing: boolean): Graph {
  const layers = shownLayers(network, plumbing);
  const all = groups(layers);
  const shown = new Set(layers.map((layer) => layer.name));
  const known = new Map(network.layers.map((layer) => [layer.name, layer]));
  const nodes = new Map<string, GraphNode>();
  const idOf = new Map<string, string>();
  for (const input of network.inputs) {
    const id = `input:${input.name}`;
    idOf.set(input.name, id);
    nodes.set(id, { id, label: input.name, op: "", kind: "input", shape: shapeWords(input.shape), what: "input", groups: [], layers: [] });
  }
  for (const layer of layers) {
    const around = groupsOf(layer, all);
    const depth = around.findIndex((key) => !open.has(key));
    const closed = around[depth];
    const id = closed === undefined ? layerId(layer.name) : `scope:${closed}`;
    idOf.set(layer.name, id);
    const node = nodes.get(id);
    const shape = shapeWords(layer.output_shape);
    if (node) {
      node.layers.push(layer.name);
      node.shape = shape;
      continue;
    }
    const what = closed === undefined ? "layer" : "scope";
    const label = closed === undefined ? layer.name : (JSON.parse(closed) as string[]).join("/");
    nodes.set(id, { id, label, op: layer.op, kind: closed === undefined ? layer.kind : "scope", shape, what, groups: depth < 0 ? around : around.slice(0, depth), layers: [layer.name] });
  }
  // What is hidden is passed through: a layer reads what the hidden layer before it reads.
  const reached = new Map<string, string[]>();
  const through = (name: string): string[] => {
    if (!known.has(name) || shown.has(name)) return [name];
    const before = reached.get(name);
    if (before) return before;
    reached.set(name, []);
    const found = [...new Set(known.get(name)?.inputs.flatMap(through) ?? [])];
    reached.set(name, found);
    return found;
  };
  const edges = new Map<string, GraphEdge>();
  const shapes = new Map([
    ...network.inputs.map((input) => [input.name, shapeWords(input.shape)] as const),
    ...network.layers.map((layer) => [layer.name, shapeWords(layer.output_shape)] as const),
  ]);
  for (const layer of layers) {
    const to = idOf.get(layer.name);
    for (const input of layer.inputs) {
      for (const source of through(input)) {
        const from = idOf.get(source);
        if (from === undefined || to === undefined || from === to) continue;
        const key = `${from}\n${to}`;
        if (!edges.has(key)) edges.set(key, { from, to, shape: shapes.get(input) ?? "" });
      }
    }
  }
  return { nodes: [...nodes.values()], edges: [...edges.values()] };
}
