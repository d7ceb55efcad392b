/** What is seen at one step: grids of numbers with the window over them, and the signs between. */
import { spreadPlaces } from "../arithmetic/tensor";
import { tapsAt } from "../arithmetic/windows";
import type { Working } from "../arithmetic/working";
import type { Key } from "../words";
import type { Name, Numbers, Settings } from "./lessons";
import { corner } from "./numbers";
import { reach } from "./sizes";
import { denseWeights, type Made, type Scene } from "./working";

/** Rows and columns, both ends included, in the padded grid. */
export interface Box {
  readonly row: number;
  readonly column: number;
  readonly rows: number;
  readonly columns: number;
}

export interface Sheet {
  readonly id: string;
  readonly title: Key;
  readonly number: number;
  readonly rows: number;
  readonly columns: number;
  readonly padding: number;
  /** Padding that the arithmetic leaves out has no number. */
  readonly counted: boolean;
  /** Row by row, without the padding. */
  readonly numbers: readonly number[];
  /** Where a typed number goes; `null` where none can be typed. */
  readonly bank: { readonly of: "inputs" | "kernels"; readonly filter: number; readonly channel: number } | null;
  readonly box: Box | null;
  /** Cells of the padded grid that the window reads. */
  readonly lit: readonly number[];
  /** The weight of each of these. */
  readonly weights: readonly number[] | null;
  /** Which of these decided. */
  readonly won: readonly boolean[] | null;
  /** So many cells are made, the last of them now. */
  readonly made: number;
  /** Whether each cell is one value of the last map, and can be chosen. */
  readonly chosen: boolean;
}

/** A sheet, or a sign. */
export type Part = Sheet | string;

export interface Sight {
  /** One line a channel. */
  readonly read: readonly (readonly Part[])[];
  readonly made: readonly Part[];
}

const NOTHING = { padding: 0, counted: true, number: 0, bank: null, box: null, lit: [], weights: null, won: null, made: Infinity, chosen: false };
const COLOURS: readonly Key[] = ["learn.sheet.red", "learn.sheet.green", "learn.sheet.blue"];

export function sightOf(name: Name, settings: Settings, numbers: Numbers, scene: Scene, step: number): Sight {
  if (name === "field") return stack(settings, numbers, scene, step);
  if (name === "dense" && settings.dense) return dense(settings, numbers, scene, step);
  const working = scene.made[settings.shown]?.workings[step];
  if (!working) return { read: [], made: [] };
  const read = Array.from({ length: settings.channels }, (_, channel) => ofChannel(name, settings, numbers, scene, step, working, channel));
  const several = scene.made.length > 1;
  const outputs = scene.made.map((made, filter) =>
    output(made, step, { id: `output-${filter}`, title: several ? "learn.sheet.filter" : scene.after ? "learn.sheet.sums" : "learn.sheet.output", number: filter + 1 }),
  );
  const after = scene.after?.map((made, filter) => output(made, step, { id: `after-${filter}`, title: "learn.sheet.after", number: filter + 1 })) ?? [];
  return { read, made: [settings.channels > 1 || name === "pooling" ? "→" : "=", ...outputs, ...(after.length > 0 ? ["→", ...after] : [])] };
}

function ofChannel(name: Name, settings: Settings, numbers: Numbers, scene: Scene, step: number, working: Working, channel: number): Part[] {
  const { size, kernel, shown } = settings;
  const taps = kernel * kernel;
  const several = settings.channels > 1;
  const input: Sheet = {
    ...NOTHING,
    ...window(settings, scene, step),
    id: `input-${channel}`,
    title: several ? (COLOURS[channel] ?? "learn.sheet.input") : "learn.sheet.input",
    rows: size,
    columns: size,
    padding: settings.padding,
    counted: scene.operation.type === "Convolution",
    numbers: corner(numbers.inputs[channel] ?? [], size, size),
    bank: { of: "inputs", filter: 0, channel },
    weights: working.kernel && name !== "pooling" ? [...working.kernel.slice(channel * taps, (channel + 1) * taps)] : null,
    won: working.winners,
  };
  if (scene.operation.type === "Pooling") return [input];
  const parts: Part[] = [input, "∗", kernelSheet(settings, numbers, shown, channel)];
  if (!several) return parts;
  const sums = (scene.made[shown] as Made).workings.map(({ products }) => sumOf(products?.slice(channel * taps, (channel + 1) * taps) ?? []));
  return [...parts, "=", { ...NOTHING, id: `partial-${channel}`, title: "learn.sheet.partial", rows: scene.side, columns: scene.side, numbers: sums, made: step + 1, chosen: true }];
}

function kernelSheet({ kernel }: Settings, numbers: Numbers, filter: number, channel: number): Sheet {
  return {
    ...NOTHING,
    id: `kernel-${channel}`,
    title: "learn.sheet.kernel",
    rows: kernel,
    columns: kernel,
    numbers: corner(numbers.kernels[filter]?.[channel] ?? [], kernel, kernel),
    bank: { of: "kernels", filter, channel },
  };
}

function output(made: Made, step: number, more: Pick<Sheet, "id" | "title" | "number">): Sheet {
  return { ...NOTHING, rows: made.side, columns: made.side, numbers: made.numbers, made: step + 1, chosen: true, ...more };
}

/** The window at a step, in the padded grid. */
function window(settings: Settings, scene: Scene, step: number): Pick<Sheet, "box" | "lit"> {
  const { size, stride, padding } = settings;
  const [row, column] = [Math.floor(step / scene.side) * stride, (step % scene.side) * stride];
  const along = (first: number) => Array.from({ length: settings.kernel }, (_, tap) => first + tap * settings.dilation);
  const across = size + 2 * padding;
  const lit = along(row).flatMap((at) => along(column).map((beside) => at * across + beside));
  return { lit, box: { row, column, rows: reach(settings), columns: reach(settings) } };
}

/** From the last map back to the picture: what each layer's value reads of the layer before. */
function stack(settings: Settings, numbers: Numbers, scene: Scene, step: number): Sight {
  const { size, layers } = settings;
  const sides = [size, ...scene.made.map(({ side }) => side)];
  const boxes: Box[] = [];
  const span = (first: number, count: number, level: number): [number, number] => {
    const before = sides[level - 1] as number;
    const [from] = tapsAt(scene.operation, 0, before, first);
    const to = tapsAt(scene.operation, 0, before, first + count - 1).at(-1);
    return [from as number, (to as number) - (from as number) + 1];
  };
  boxes[layers] = { row: Math.floor(step / scene.side), column: step % scene.side, rows: 1, columns: 1 };
  for (let level = layers; level > 0; level--) {
    const { row, column, rows, columns } = boxes[level] as Box;
    const [top, height] = span(row, rows, level);
    const [left, width] = span(column, columns, level);
    boxes[level - 1] = { row: top, column: left, rows: height, columns: width };
  }
  const within = ({ row, column, rows, columns }: Box, across: number) =>
    Array.from({ length: rows * columns }, (_, n) => (row + Math.floor(n / columns)) * across + column + (n % columns));
  const sheet = (level: number): Sheet => ({
    ...NOTHING,
    id: `level-${level}`,
    title: level === 0 ? "learn.sheet.picture" : "learn.sheet.map",
    number: level,
    rows: sides[level] as number,
    columns: sides[level] as number,
    numbers: level === 0 ? corner(numbers.inputs[0] ?? [], size, size) : (scene.made[level - 1] as Made).numbers,
    bank: level === 0 ? { of: "inputs", filter: 0, channel: 0 } : null,
    box: level === layers ? null : (boxes[level] as Box),
    lit: within(boxes[level] as Box, sides[level] as number),
    made: level === layers ? step + 1 : Infinity,
    chosen: level === layers,
  });
  const levels = sides.map((_, level) => sheet(level));
  return { read: [[{ ...kernelSheet(settings, numbers, 0, 0), title: "learn.sheet.shared" }]], made: levels.flatMap((one, level): Part[] => (level === 0 ? [one] : ["→", one])) };
}

function dense({ size }: Settings, numbers: Numbers, scene: Scene, step: number): Sight {
  const all = Array.from({ length: size * size }, (_, n) => n);
  const weights = denseWeights(step, size * size, numbers);
  const input: Sheet = {
    ...NOTHING,
    id: "input-0",
    title: "learn.sheet.input",
    rows: size,
    columns: size,
    numbers: corner(numbers.inputs[0] ?? [], size, size),
    bank: { of: "inputs", filter: 0, channel: 0 },
    box: { row: 0, column: 0, rows: size, columns: size },
    lit: all,
    weights,
  };
  const own: Sheet = { ...NOTHING, id: "weights", title: "learn.sheet.weights", number: step + 1, rows: size, columns: size, numbers: weights };
  const [made] = scene.made;
  return { read: [[input, "×", own]], made: made ? ["=", output(made, step, { id: "output-0", title: "learn.sheet.output", number: 1 })] : [] };
}

/** Which values of a window lie in the padding. */
export function paddedOf({ places, window: { shape } }: Working): boolean[] {
  const all = places.map((axis) => spreadPlaces(axis, shape));
  return Array.from({ length: all[0]?.length ?? 0 }, (_, n) => all.some((axis) => axis[n] === -1));
}

function sumOf(values: Iterable<number>): number {
  let sum = 0;
  for (const value of values) sum += value;
  return sum;
}
