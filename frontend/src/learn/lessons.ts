/** The nine lessons: in which order, with which settings each begins, and which of them a person may change. */
import { bankOf, drawn, type Bank } from "./numbers";
import { outputSize, PLAIN, type Slide } from "./sizes";

export const LESSONS = ["convolution", "padding", "stride", "dilation", "pooling", "channels", "activation", "field", "dense"] as const;
export type Name = (typeof LESSONS)[number];

export type Pool = "max" | "average";
export type Activation = "none" | "relu" | "leaky_relu" | "sigmoid" | "tanh";

/** What an activation is called, in every language. */
export const CALLED: Record<Activation, string> = { none: "", relu: "ReLU", leaky_relu: "leaky ReLU", sigmoid: "sigmoid", tanh: "tanh" };

export interface Settings extends Slide {
  readonly size: number;
  readonly channels: number;
  readonly filters: number;
  /** The filter whose arithmetic is shown. */
  readonly shown: number;
  readonly layers: number;
  readonly pool: Pool;
  readonly activation: Activation;
  /** Whether the dense layer is shown, not the convolution. */
  readonly dense: boolean;
}

/** What can be counted up and down, with its bounds. */
export const BOUNDS = {
  size: [2, 10],
  kernel: [1, 5],
  stride: [1, 4],
  padding: [0, 3],
  dilation: [1, 3],
  filters: [1, 4],
  layers: [1, 4],
} as const;
export type Counted = keyof typeof BOUNDS;

/** The least and the most that a count may be in this lesson. */
export function boundsOf(name: Name, what: Counted): readonly [number, number] {
  const [least, most] = BOUNDS[what];
  return [least, what === "size" ? (TAUGHT[name].largest ?? most) : most];
}

/** All numbers of a lesson. */
export interface Numbers {
  /** One bank a channel. */
  readonly inputs: Bank[];
  /** By filter, then channel. */
  readonly kernels: Bank[][];
  readonly biases: number[];
}

export interface Lesson {
  readonly name: Name;
  readonly counted: readonly Counted[];
  /** How large its input may be, where it stands there several times. */
  readonly largest?: number;
  readonly start: Settings;
  readonly numbers: () => Numbers;
}

const BASE: Settings = { ...PLAIN, size: 5, channels: 1, filters: 1, shown: 0, layers: 1, pool: "max", activation: "none", dense: false };

/** A bright slanting line on a dark ground, so that the edges stand where one sees them. */
const LINE = [
  [3, 1, 0, 0, 1],
  [1, 3, 1, 0, 0],
  [0, 1, 3, 1, 0],
  [0, 0, 1, 3, 1],
  [1, 0, 0, 1, 3],
];
const EDGE = [
  [1, 0, -1],
  [2, 0, -2],
  [1, 0, -1],
];
const CROSS = [
  [0, 1, 0],
  [1, -4, 1],
  [0, 1, 0],
];
const HILLS = [
  [1, 3, 2, 0, 4, 1],
  [5, 2, 0, 1, 2, 3],
  [0, 1, 7, 3, 0, 0],
  [2, 4, 1, 6, 1, 5],
  [3, 0, 2, 2, 8, 4],
  [1, 1, 0, 5, 2, 0],
];

/** Banks for every channel and filter, of which the first are given. */
function numbersOf(seed: number, input: number[][], kernels: number[][][], biases: number[] = []): Numbers {
  return {
    inputs: [0, 1, 2].map((channel) => bankOf(channel === 0 ? input : [], seed + channel, 0, 3)),
    kernels: [0, 1, 2, 3].map((filter) => [0, 1, 2].map((channel) => bankOf(kernels[filter * 3 + channel] ?? [], seed + 10 + filter * 3 + channel, -1, 1))),
    biases: [0, 1, 2, 3].map((filter) => biases[filter] ?? 0),
  };
}

/** All numbers anew, from a seed. */
export function redrawn(seed: number): Numbers {
  return {
    inputs: [0, 1, 2].map((channel) => drawn(seed * 31 + channel, 0, 5)),
    kernels: [0, 1, 2, 3].map((filter) => [0, 1, 2].map((channel) => drawn(seed * 31 + 10 + filter * 3 + channel, -2, 2))),
    biases: [0, 1, 2, 3].map((filter) => drawn(seed * 31 + 50 + filter, -3, 3)[0] ?? 0),
  };
}

const WINDOW: readonly Counted[] = ["size", "kernel", "stride", "padding", "dilation"];

export const TAUGHT: Record<Name, Lesson> = {
  convolution: { name: "convolution", counted: ["size", "kernel"], start: BASE, numbers: () => numbersOf(1, LINE, [EDGE]) },
  padding: { name: "padding", counted: ["size", "kernel", "padding"], start: { ...BASE, padding: 1 }, numbers: () => numbersOf(2, LINE, [CROSS]) },
  stride: { name: "stride", counted: WINDOW, start: { ...BASE, stride: 2 }, numbers: () => numbersOf(3, LINE, [EDGE]) },
  dilation: { name: "dilation", counted: WINDOW, start: { ...BASE, size: 7, dilation: 2 }, numbers: () => numbersOf(4, LINE, [EDGE]) },
  pooling: { name: "pooling", counted: ["size", "kernel", "stride"], start: { ...BASE, size: 6, kernel: 2, stride: 2 }, numbers: () => numbersOf(5, HILLS, []) },
  channels: { name: "channels", counted: ["size", "kernel", "filters"], largest: 6, start: { ...BASE, size: 4, channels: 3, filters: 3 }, numbers: () => numbersOf(6, LINE, [], [1, 0, -2]) },
  activation: { name: "activation", counted: ["size", "kernel"], start: { ...BASE, activation: "relu" }, numbers: () => numbersOf(1, LINE, [EDGE], [-2]) },
  field: { name: "field", counted: ["size", "kernel", "stride", "layers"], start: { ...BASE, size: 7, layers: 2 }, numbers: () => numbersOf(7, LINE, [CROSS]) },
  dense: { name: "dense", counted: ["size", "kernel"], start: { ...BASE, size: 4, dense: true }, numbers: () => numbersOf(9, LINE, [EDGE]) },
};

/** Whether something is left to make with these settings. */
export function makes(name: Name, settings: Settings): boolean {
  let side = settings.size;
  for (let n = 0; n < (name === "field" ? settings.layers : 1); n++) side = outputSize(side, settings);
  return side >= 1 && (name !== "pooling" || settings.padding < settings.kernel);
}
