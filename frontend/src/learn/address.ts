/** A lesson as an address: what differs from its beginning, so that a link opens it with a person's own numbers. */
import { whole } from "../play/address";
import { boundsOf, makes, redrawn, TAUGHT, type Activation, type Counted, type Name, type Numbers, type Pool, type Settings } from "./lessons";
import { SIDE, typed } from "./numbers";

export interface Kept {
  readonly settings: Settings;
  /** Which numbers were drawn; 0 is the lesson's own. */
  readonly seed: number;
  readonly numbers: Numbers;
  readonly step: number;
}

const MOST_SEED = 9999;
const MOST_STEP = 9999;
const POOLS: readonly Pool[] = ["max", "average"];
const ACTIVATIONS: readonly Activation[] = ["relu", "leaky_relu", "sigmoid", "tanh"];
/** Both sides of these are counted at once. */
const SQUARE: readonly Counted[] = ["size", "kernel"];

const word = (what: Counted) => (what === "size" ? "input" : what);

export function drawnBy(name: Name, seed: number): Numbers {
  return seed === 0 ? TAUGHT[name].numbers() : redrawn(seed);
}

export function format(name: Name, { settings, seed, numbers, step }: Kept): string {
  const { start, counted } = TAUGHT[name];
  const query = new URLSearchParams();
  for (const what of counted) if (settings[what] !== start[what]) query.set(word(what), SQUARE.includes(what) ? `${settings[what]}x${settings[what]}` : String(settings[what]));
  if (settings.pool !== start.pool) query.set("pool", settings.pool);
  if (settings.activation !== start.activation) query.set("activation", settings.activation);
  if (settings.dense !== start.dense) query.set("layer", settings.dense ? "dense" : "convolution");
  if (settings.shown !== start.shown) query.set("filter", String(settings.shown + 1));
  if (step > 0) query.set("at", String(step + 1));
  if (seed > 0) query.set("seed", String(seed));
  const edits = editsOf(drawnBy(name, seed), numbers);
  if (edits.length > 0) query.set("numbers", edits.join("_"));
  const text = query.toString().replaceAll("%2C", ",");
  return `#/learn/${name}${text ? `?${text}` : ""}`;
}

/** Reads an address; what it can't read, or what would make nothing, stays as the lesson begins. */
export function parse(name: Name, hash: string): Kept {
  const query = new URLSearchParams(hash.split("?").slice(1).join("?"));
  const { start, counted } = TAUGHT[name];
  const one = <T extends string>(key: string, allowed: readonly T[], otherwise: T): T => allowed.find((value) => value === query.get(key)) ?? otherwise;
  const counts = Object.fromEntries(counted.map((what) => [what, countOf(name, what, query.get(word(what)))]));
  const asked: Settings = {
    ...start,
    ...counts,
    pool: name === "pooling" ? one("pool", POOLS, start.pool) : start.pool,
    activation: name === "activation" ? one("activation", ACTIVATIONS, start.activation) : start.activation,
    dense: start.dense && one("layer", ["dense", "convolution"], "dense") === "dense",
  };
  const filter = (whole(query.get("filter"), asked.filters) ?? 1) - 1;
  const settings = makes(name, asked) ? { ...asked, shown: Math.max(filter, 0) } : start;
  const seed = whole(query.get("seed"), MOST_SEED) ?? 0;
  const numbers = edited(drawnBy(name, seed), query.get("numbers") ?? "");
  return { settings, seed, numbers, step: Math.max((whole(query.get("at"), MOST_STEP) ?? 1) - 1, 0) };
}

function countOf(name: Name, what: Counted, text: string | null): number {
  const [least, most] = boundsOf(name, what);
  const sides = (text ?? "").split("x");
  const fits = SQUARE.includes(what) ? sides.length === 2 && sides[0] === sides[1] : sides.length === 1;
  const value = whole(sides[0] ?? "", most);
  return fits && value !== null && value >= least ? value : TAUGHT[name].start[what];
}

/** `x0,1,2,9`: channel, row, column, value of the input; `w` has the filter before these; `b0,-2` is a bias. */
function editsOf(before: Numbers, { inputs, kernels, biases }: Numbers): string[] {
  const changed = (letter: string, place: number[], old: readonly number[] = [], now: readonly number[]) =>
    now.flatMap((value, n) => (value === old[n] ? [] : [`${letter}${[...place, Math.floor(n / SIDE), n % SIDE, value].join(",")}`]));
  return [
    ...inputs.flatMap((bank, channel) => changed("x", [channel], before.inputs[channel], bank)),
    ...kernels.flatMap((banks, filter) => banks.flatMap((bank, channel) => changed("w", [filter, channel], before.kernels[filter]?.[channel], bank))),
    ...biases.flatMap((value, filter) => (value === before.biases[filter] ? [] : [`b${filter},${value}`])),
  ];
}

function edited(numbers: Numbers, text: string): Numbers {
  const inputs = numbers.inputs.map((bank) => [...bank]);
  const kernels = numbers.kernels.map((banks) => banks.map((bank) => [...bank]));
  const biases = [...numbers.biases];
  for (const edit of text.split("_")) {
    const words = edit.slice(1).split(",");
    const value = typed(words.pop() ?? "");
    const places = words.map((one) => whole(one, SIDE - 1));
    if (value === null || places.includes(null)) continue;
    const [last = NaN, before = NaN, channel = NaN, filter = NaN] = (places as number[]).toReversed();
    const at = before * SIDE + last;
    const bank = edit.startsWith("x") && places.length === 3 ? inputs[channel] : edit.startsWith("w") && places.length === 4 ? kernels[filter]?.[channel] : undefined;
    if (bank) bank[at] = value;
    else if (edit.startsWith("b") && places.length === 1 && last < biases.length) biases[last] = value;
  }
  return { inputs, kernels, biases };
}
