/** Draws what is in sight of the arranged graph: edges, nodes and, near enough, their words. */
import type { Arrangement } from "../../layout/arrange";
import type { Graph, GraphNode } from "../../layout/graph";
import { HEIGHT, WIDTH } from "../../layout/measures";

export interface Camera {
  x: number;
  y: number;
  zoom: number;
}

export interface Scene {
  graph: Graph;
  at: Arrangement;
  chosen: string | null;
  focused: string | null;
  lit: ReadonlySet<string> | null;
  thumbnail(node: GraphNode): HTMLCanvasElement | null;
  waiting(node: GraphNode): boolean;
}

const FAMILY: Record<string, string> = {
  convolution: "convolution", dense: "dense", attention: "dense", recurrent: "dense", pooling: "pooling",
  normalisation: "normalisation", activation: "activation", add: "merge", multiply: "merge", concat: "merge", scope: "scope",
};
export const kindVariable = (kind: string) => `--kind-${FAMILY[kind] ?? "other"}`;

export function paint(canvas: HTMLCanvasElement, scene: Scene, camera: Camera): void {
  const context = canvas.getContext("2d");
  if (!context) return;
  const css = getComputedStyle(canvas);
  const colour = (name: string) => css.getPropertyValue(name).trim();
  const [panel, line, strong, ink, ink2, accent, soft] = ["--panel", "--line", "--line-strong", "--ink", "--ink-2", "--accent", "--accent-soft"].map(colour) as [string, string, string, string, string, string, string];
  const ratio = devicePixelRatio;
  const { zoom } = camera;
  context.setTransform(1, 0, 0, 1, 0, 0);
  context.clearRect(0, 0, canvas.width, canvas.height);
  context.setTransform(ratio * zoom, 0, 0, ratio * zoom, ratio * camera.x, ratio * camera.y);
  const left = -camera.x / zoom;
  const top = -camera.y / zoom;
  const right = left + canvas.width / ratio / zoom;
  const bottom = top + canvas.height / ratio / zoom;
  context.font = `11px ${css.fontFamily}`;
  context.textBaseline = "middle";
  scene.graph.edges.forEach((edge, n) => {
    const points = scene.at.edges[n] ?? [];
    const [first, last] = [points[0], points[points.length - 1]];
    if (!first || !last || last[1] < top || first[1] > bottom) return;
    const near = edge.from === scene.chosen || edge.to === scene.chosen;
    context.strokeStyle = near ? accent : strong;
    context.lineWidth = near ? 2.5 : 1.2;
    context.beginPath();
    context.moveTo(...first);
    for (let p = 1; p < points.length - 1; p++) {
      const [a, b] = [points[p], points[p + 1]] as [[number, number], [number, number]];
      const end = p === points.length - 2 ? b : ([(a[0] + b[0]) / 2, (a[1] + b[1]) / 2] as [number, number]);
      context.quadraticCurveTo(...a, ...end);
    }
    if (points.length === 2) context.lineTo(...last);
    context.stroke();
    if (zoom < 0.45) return;
    context.fillStyle = context.strokeStyle;
    context.beginPath();
    context.moveTo(last[0], last[1]);
    context.lineTo(last[0] - 4, last[1] - 6);
    context.lineTo(last[0] + 4, last[1] - 6);
    context.fill();
    context.fillStyle = ink2;
    context.fillText(edge.shape, first[0] + 6, first[1] + 11);
  });
  scene.graph.nodes.forEach((node, n) => {
    const [x, y] = scene.at.nodes[n] ?? [0, 0];
    if (x + WIDTH / 2 < left || x - WIDTH / 2 > right || y + HEIGHT / 2 < top || y - HEIGHT / 2 > bottom) return;
    const [l, t] = [x - WIDTH / 2, y - HEIGHT / 2];
    const chosen = node.id === scene.chosen;
    context.globalAlpha = scene.lit && !scene.lit.has(node.id) ? 0.4 : 1;
    context.fillStyle = chosen ? soft : panel;
    context.strokeStyle = chosen || scene.lit?.has(node.id) ? accent : scene.waiting(node) ? line : strong;
    context.lineWidth = chosen ? 2.5 : 1;
    context.beginPath();
    context.roundRect(l, t, WIDTH, HEIGHT, 5);
    context.fill();
    context.stroke();
    context.fillStyle = colour(kindVariable(node.kind));
    context.fillRect(l, t + 4, 4, HEIGHT - 8);
    if (node.id === scene.focused) {
      context.strokeStyle = colour("--focus");
      context.lineWidth = 2 / zoom;
      context.strokeRect(l - 4, t - 4, WIDTH + 8, HEIGHT + 8);
    }
    if (zoom >= 0.3) {
      const picture = scene.thumbnail(node);
      if (picture) {
        const scale = 40 / Math.max(picture.width, picture.height);
        context.imageSmoothingEnabled = false;
        context.drawImage(picture, l + WIDTH - 45, t + 5, picture.width * scale, picture.height * scale);
      }
      context.fillStyle = ink;
      context.font = `600 12px ${css.fontFamily}`;
      context.fillText(shortened(node.label, 20), l + 12, t + 17);
      context.fillStyle = ink2;
      context.font = `11px ${css.fontFamily}`;
      context.fillText(node.what === "scope" ? `▸ ${node.layers.length}` : node.op || node.shape, l + 12, t + 34);
    }
    context.globalAlpha = 1;
  });
}

/** A long path loses its beginning: its end tells layers apart. */
function shortened(text: string, most: number): string {
  return text.length > most ? `…${text.slice(1 - most)}` : text;
}
