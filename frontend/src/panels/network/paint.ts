/** Draws what is in sight of the arranged graph: frames, edges, nodes and, near enough, their words. */
import type { Arrangement } from "../../layout/arrange";
import { innerName, shortened, type Frame } from "../../layout/frames";
import type { Graph, GraphEdge, GraphNode } from "../../layout/graph";
import { HEIGHT, WIDTH } from "../../layout/measures";

export interface Camera {
  x: number;
  y: number;
  zoom: number;
}

export interface Scene {
  graph: Graph;
  at: Arrangement;
  frames: readonly Frame[];
  chosen: string | null;
  focused: string | null;
  lit: ReadonlySet<string> | null;
  /** How far the breath of what is still being computed is, 0 to 1. */
  breath: number;
  thumbnail(node: GraphNode): CanvasImageSource | null;
  waiting(node: GraphNode): boolean;
}

/** From these zooms on words, and arrowheads with shapes, are large enough to be of use. */
const WORDS = 0.3;
/** Below this a node is too small for a border of its own. */
const BORDERS = 0.14;
const SHAPES = 0.45;
const SIDE = 40;

const FAMILY: Record<string, string> = {
  convolution: "convolution", dense: "dense", attention: "dense", recurrent: "dense", pooling: "pooling",
  normalisation: "normalisation", activation: "activation", add: "merge", multiply: "merge", concat: "merge", scope: "scope",
};
export const kindVariable = (kind: string) => `--kind-${FAMILY[kind] ?? "other"}`;

type Point = [number, number];

/** Returns whether anything in sight is still being computed. */
export function paint(canvas: HTMLCanvasElement, scene: Scene, camera: Camera): boolean {
  const context = canvas.getContext("2d");
  if (!context) return false;
  const css = getComputedStyle(canvas);
  const read = new Map<string, string>();
  const colour = (name: string) => {
    const known = read.get(name) ?? css.getPropertyValue(name).trim();
    read.set(name, known);
    return known;
  };
  const font = (words: string) => `${words} ${css.fontFamily}`;
  const ratio = devicePixelRatio;
  const { zoom } = camera;
  context.setTransform(1, 0, 0, 1, 0, 0);
  context.clearRect(0, 0, canvas.width, canvas.height);
  context.setTransform(ratio * zoom, 0, 0, ratio * zoom, ratio * camera.x, ratio * camera.y);
  context.textBaseline = "middle";
  const [left, top] = [-camera.x / zoom, -camera.y / zoom];
  const [right, bottom] = [left + canvas.width / ratio / zoom, top + canvas.height / ratio / zoom];
  const unseen = (x: number, y: number, width: number, height: number) => x > right || x + width < left || y > bottom || y + height < top;

  for (const frame of scene.frames) {
    if (unseen(frame.x, frame.y, frame.width, frame.height)) continue;
    context.globalAlpha = 0.45;
    context.fillStyle = colour("--sunken");
    context.beginPath();
    context.roundRect(frame.x, frame.y, frame.width, frame.height, 8);
    context.fill();
    context.globalAlpha = 1;
    context.strokeStyle = colour("--line");
    context.lineWidth = Math.max(1, 1 / zoom);
    context.stroke();
  }

  context.font = font("11px");
  const told = new Set<string>();
  const edge = ({ from, to, shape }: GraphEdge, points: Point[], near: boolean) => {
    const [first, last] = [points[0], points[points.length - 1]];
    if (!first || !last || last[1] < top || first[1] > bottom) return;
    context.globalAlpha = scene.lit && !(scene.lit.has(from) && scene.lit.has(to)) ? 0.4 : 1;
    context.strokeStyle = colour(near ? "--accent" : "--line-strong");
    context.lineWidth = (near ? 2.5 : 1.2) * Math.min(Math.max(1, 0.5 / zoom), 3);
    context.beginPath();
    curve(context, points);
    context.stroke();
    if (zoom < SHAPES) return;
    context.fillStyle = context.strokeStyle;
    context.beginPath();
    context.moveTo(last[0], last[1]);
    context.lineTo(last[0] - 4, last[1] - 7);
    context.lineTo(last[0] + 4, last[1] - 7);
    context.fill();
    if (told.has(`${from}\n${shape}`)) return; // what leaves a layer twice is one value: said once
    told.add(`${from}\n${shape}`);
    context.fillStyle = colour("--ink-2");
    context.fillText(shape, first[0] + 6, first[1] + 13);
  };
  const isNear = ({ from, to }: GraphEdge) => from === scene.chosen || to === scene.chosen;
  scene.graph.edges.forEach((one, n) => isNear(one) || edge(one, scene.at.edges[n] ?? [], false));
  scene.graph.edges.forEach((one, n) => isNear(one) && edge(one, scene.at.edges[n] ?? [], true));
  context.globalAlpha = 1;

  const framed = new Set(scene.frames.map((frame) => frame.key));
  let waits = false;
  scene.graph.nodes.forEach((node, n) => {
    const [x, y] = scene.at.nodes[n] ?? [0, 0];
    const [l, t] = [x - WIDTH / 2, y - HEIGHT / 2];
    if (unseen(l, t, WIDTH, HEIGHT)) return;
    const chosen = node.id === scene.chosen;
    const waiting = scene.waiting(node);
    const kind = colour(kindVariable(node.kind));
    waits ||= waiting;
    context.globalAlpha = scene.lit && !scene.lit.has(node.id) ? 0.35 : 1;
    const dim = context.globalAlpha;
    context.fillStyle = colour(chosen ? "--accent-soft" : "--panel");
    context.strokeStyle = colour(chosen || scene.lit?.has(node.id) ? "--accent" : waiting ? "--line" : "--line-strong");
    context.lineWidth = (chosen || scene.lit?.has(node.id) ? 2.5 : 1) * Math.min(Math.max(1, 0.5 / zoom), 4);
    context.beginPath();
    if (zoom < WORDS) context.rect(l, t, WIDTH, HEIGHT);
    else context.roundRect(l, t, WIDTH, HEIGHT, 5);
    if (node.what === "scope" && zoom >= WORDS) stack(context, l, t);
    context.fill();
    if (zoom >= BORDERS || chosen || scene.lit?.has(node.id)) context.stroke();
    context.fillStyle = kind;
    if (waiting) context.globalAlpha = dim * (0.25 + 0.75 * scene.breath);
    // from afar a node is the colour of its kind
    if (zoom < BORDERS) context.fillRect(l, t, WIDTH, HEIGHT);
    else if (zoom < WORDS) context.fillRect(l + 3, t + 3, WIDTH - 6, HEIGHT - 6);
    else context.fillRect(l, t + 4, 4, HEIGHT - 8);
    context.globalAlpha = dim;
    if (node.id === scene.focused) {
      context.strokeStyle = colour("--focus");
      context.lineWidth = 2 / zoom;
      context.strokeRect(l - 4, t - 4, WIDTH + 8, HEIGHT + 8);
    }
    if (zoom >= WORDS) {
      const picture = scene.thumbnail(node);
      if (picture) thumbnail(context, picture, l + WIDTH - SIDE - 5, t + 5);
      context.fillStyle = colour("--ink");
      context.font = font("600 12px");
      context.fillText(shortened(innerName(node.label, node.groups, framed), picture ? 19 : 25), l + 12, t + 17);
      context.fillStyle = colour("--ink-2");
      context.font = font("11px");
      context.fillText(node.what === "scope" ? `▸ ${node.layers.length}` : node.op || node.shape, l + 12, t + 34);
    }
    context.globalAlpha = 1;
  });

  if (zoom >= WORDS)
    for (const { chip, label } of scene.frames) {
      if (unseen(chip.x, chip.y, chip.width, chip.height)) continue;
      context.fillStyle = colour("--panel");
      context.strokeStyle = colour("--line-strong");
      context.lineWidth = 1;
      context.beginPath();
      context.roundRect(chip.x, chip.y, chip.width, chip.height, 4);
      context.fill();
      context.stroke();
      context.fillStyle = colour("--ink-2");
      context.font = font("11px");
      context.fillText(`▾ ${label}`, chip.x + 4, chip.y + chip.height / 2 + 0.5, chip.width - 6);
    }
  return waits;
}

function curve(context: CanvasRenderingContext2D, points: Point[]): void {
  context.moveTo(...(points[0] as Point));
  if (points.length === 2) context.lineTo(...(points[1] as Point));
  for (let n = 1; n < points.length - 1; n++) {
    const [a, b] = [points[n], points[n + 1]] as [Point, Point];
    const end: Point = n === points.length - 2 ? b : [(a[0] + b[0]) / 2, (a[1] + b[1]) / 2];
    context.quadraticCurveTo(...a, ...end);
  }
}

/** A closed scope looks like a pile: there is more below. */
function stack(context: CanvasRenderingContext2D, l: number, t: number): void {
  const shape = new Path2D();
  shape.roundRect(l + 5, t + 5, WIDTH - 10, HEIGHT - 1.5, 5);
  context.fill(shape);
  context.stroke(shape);
}

function thumbnail(context: CanvasRenderingContext2D, picture: CanvasImageSource, x: number, y: number): void {
  const [width, height] =
    picture instanceof HTMLImageElement ? [picture.naturalWidth, picture.naturalHeight] : [(picture as HTMLCanvasElement).width, (picture as HTMLCanvasElement).height];
  const scale = SIDE / Math.max(width, height, 1);
  context.imageSmoothingEnabled = scale < 1; // enlarged pixels stay pixels
  context.drawImage(picture, x + (SIDE - width * scale) / 2, y + (SIDE - height * scale) / 2, width * scale, height * scale);
}
