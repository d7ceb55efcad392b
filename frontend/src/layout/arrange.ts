/** Where nodes and edges stand: top to bottom, by dagre. Runs in the worker, or here where none can start. */
import * as dagre from "@dagrejs/dagre";
import { HEIGHT, WIDTH } from "./measures";

/** From here on the faster ranking is used, which may lengthen some edges. */
const LARGE = 200;
/** From here on layers keep the order they are met in: the search for fewer crossings costs half of the time. */
const HUGE = 600;

export interface Plan {
  nodes: string[];
  edges: { from: string; to: string }[];
}

export interface Arrangement {
  width: number;
  height: number;
  /** Centres, as `[x, y]`, in the order of the plan's nodes. */
  nodes: [number, number][];
  /** Points from tail to head, in the order of the plan's edges. */
  edges: [number, number][][];
}

export function arrange(plan: Plan): Arrangement {
  const graph = new dagre.graphlib.Graph();
  graph.setGraph({ rankdir: "TB", nodesep: 30, ranksep: 38, edgesep: 14, ranker: plan.nodes.length > LARGE ? "tight-tree" : "network-simplex" });
  graph.setDefaultEdgeLabel(() => ({}));
  for (const id of plan.nodes) graph.setNode(id, { width: WIDTH, height: HEIGHT });
  for (const { from, to } of plan.edges) graph.setEdge(from, to, {});
  dagre.layout(graph, { disableOptimalOrderHeuristic: plan.nodes.length > HUGE });
  const size = graph.graph() as { width?: number; height?: number };
  return {
    width: size.width ?? 0,
    height: size.height ?? 0,
    nodes: plan.nodes.map((id) => {
      const node = graph.node(id) as { x?: number; y?: number };
      return [node.x ?? 0, node.y ?? 0];
    }),
    edges: plan.edges.map(({ from, to }) => {
      const edge = graph.edge(from, to) as { points?: { x: number; y: number }[] };
      return (edge.points ?? []).map(({ x, y }) => [x, y]);
    }),
  };
}
