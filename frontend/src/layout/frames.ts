/** The frames around open scopes, and what a node is called inside them. */
import type { Arrangement } from "./arrange";
import type { Graph } from "./graph";
import { HEIGHT, WIDTH } from "./measures";

export interface Box {
  x: number;
  y: number;
  width: number;
  height: number;
}

export interface Frame extends Box {
  key: string;
  label: string;
  /** Where its name stands: a click there closes the scope. */
  chip: Box;
}

/** Distance of a frame from what it holds, and what each frame inside adds to it. */
const PAD = 6;
const STEP = 4;
const DEEPEST = 2;
const CHIP = { height: 15, letter: 6.3, margin: 18, gap: 3, longest: 18 };

/** A scope that can't be framed without another's layers inside gets none: a frame may not lie about what it holds. */
export function framesOf(graph: Graph, at: Arrangement): Frame[] {
  const members = new Map<string, number[]>();
  graph.nodes.forEach((node, n) => {
    for (const key of node.groups) {
      const held = members.get(key);
      if (held) held.push(n);
      else members.set(key, [n]);
    }
  });
  const tight = new Map<string, Box>();
  for (const [key, held] of members) {
    const box = around(held.map((n) => at.nodes[n] ?? [0, 0]));
    const inside = at.nodes.filter(([x, y]) => touches(box, { x: x - WIDTH / 2, y: y - HEIGHT / 2, width: WIDTH, height: HEIGHT })).length;
    if (inside === held.length) tight.set(key, box);
  }
  const within = new Map<string, number>();
  for (const node of graph.nodes) {
    node.groups
      .filter((key) => tight.has(key))
      .reverse()
      .forEach((key, depth) => within.set(key, Math.max(within.get(key) ?? 0, depth)));
  }
  const frames: Frame[] = [];
  // outer frames come first: a map keeps the order in which the groups were met
  for (const [key, box] of tight) {
    const pad = PAD + STEP * Math.min(within.get(key) ?? 0, DEEPEST);
    const label = shortened((JSON.parse(key) as string[]).at(-1) ?? "", CHIP.longest);
    const x = box.x - pad;
    const y = box.y - pad;
    const chip = { x: x + 8, y: y - CHIP.height / 2, width: CHIP.margin + CHIP.letter * label.length, height: CHIP.height };
    for (const { chip: taken } of frames) if (touches(chip, taken)) chip.x = taken.x + taken.width + CHIP.gap;
    frames.push({ key, label, x, y, width: box.width + 2 * pad, height: box.height + 2 * pad, chip });
  }
  return frames;
}

/** A node's name without the scopes whose frames say it already. */
export function innerName(label: string, groups: readonly string[], framed: ReadonlySet<string>): string {
  const said = groups.findLast((key) => framed.has(key));
  if (said === undefined) return label;
  const path = JSON.parse(said) as string[];
  for (const mark of ["/", "."]) {
    const start = path.join(mark) + mark;
    if (label.startsWith(start) && label.length > start.length) return label.slice(start.length);
  }
  return label;
}

/** A long name loses its beginning: its end tells layers apart. */
export function shortened(text: string, most: number): string {
  return text.length > most ? `…${text.slice(1 - most)}` : text;
}

export const holds = (box: Box, x: number, y: number) => x >= box.x && x <= box.x + box.width && y >= box.y && y <= box.y + box.height;

const touches = (a: Box, b: Box) => a.x < b.x + b.width && b.x < a.x + a.width && a.y < b.y + b.height && b.y < a.y + a.height;

function around(centres: [number, number][]): Box {
  let [left, top, right, bottom] = [Infinity, Infinity, -Infinity, -Infinity];
  for (const [x, y] of centres) {
    left = Math.min(left, x - WIDTH / 2);
    right = Math.max(right, x + WIDTH / 2);
    top = Math.min(top, y - HEIGHT / 2);
    bottom = Math.max(bottom, y + HEIGHT / 2);
  }
  return { x: left, y: top, width: right - left, height: bottom - top };
}
