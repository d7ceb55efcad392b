/** A convolution worked out in the order in which the framework adds up: the twin of `convlens.hosts.report.orders`. */
import type { Convolution, Tensor } from "../../arithmetic/operations";
import { addDouble, addFused, addGroup, type Terms } from "./adding";
import type { Order } from "./contents";
import { gridOf, sheetsOf, type Grid, type Sheets } from "./sheets";

/** Everything in float64, channel by channel, rows, columns; rounded once. */
export const IN_FLOAT64: Order = { block: 0, chunk: 0, group: 1, fused: false, double: true };
const AT_ONCE = 2048; // accumulators that are worked on together, so that they stay in the cache

export interface Weights {
  kernel: Tensor;
  bias?: Tensor | undefined;
}

/** Whether a convolution can be worked out here: not transposed, and with zeros in its padding. */
export function canConvolve(operation: Convolution): boolean {
  return !operation.transposed && operation.padding_mode === "zeros" && operation.kernel_size.length <= 3;
}

/** A convolution that is ready to be worked out, a filter or some of its rows at a time. */
export class Convolver {
  readonly #grid: Grid;
  readonly #sheets: Sheets;
  readonly #runs: number[][];
  /** For each term, as they are taken: its channel of the group, and its tap. */
  readonly #terms: Int32Array;
  readonly #channels: number;
  readonly #taps: number;

  constructor(
    private readonly operation: Convolution,
    private readonly order: Order,
    source: Tensor,
    private readonly weights: Weights,
    outputs: number[], // the layer's shape without its channels
  ) {
    const [channels = 1, ...sizes] = source.shape;
    this.#grid = gridOf(operation, outputs);
    this.#sheets = sheetsOf(this.#grid, source.data as Float32Array, channels, [...Array<number>(3 - sizes.length).fill(1), ...sizes]);
    this.#channels = operation.in_channels / operation.groups;
    this.#taps = operation.kernel_size.reduce((product, size) => product * size, 1);
    this.#terms = orderOfTerms(order, this.#channels, this.#taps);
    this.#runs = groupsOf(order, this.#terms.length);
  }

  /** What it takes in memory beside its source. */
  get bytes(): number {
    return this.#sheets.own + this.#terms.byteLength;
  }

  /** Rows `from` to `to` (not included) of one filter's map at one depth, written into `into` from `at` on. */
  rows(filter: number, depth: number, from: number, to: number, into: Float32Array, at: number): void {
    const columns = this.#grid.outputs[2] as number;
    const { width } = this.#sheets;
    const terms = this.#termsOf(filter, depth);
    const bias = this.weights.bias ? (this.weights.bias.data[filter] as number) : null;
    const together = Math.max(1, Math.floor(AT_ONCE / width));
    const room = (together - 1) * width + columns;
    const sums = this.order.double ? new Float64Array(room) : new Float32Array(room);
    const run = this.#runs.length > 1 ? new Float32Array(room) : null;
    for (let row = from; row < to; row += together) {
      const rows = Math.min(together, to - row);
      const count = (rows - 1) * width + columns;
      this.#add(sums, run, count, terms, row * width);
      for (let n = 0; n < rows; n++) {
        const start = at + (row - from + n) * columns;
        for (let i = 0; i < columns; i++) {
          const sum = sums[n * width + i] as number;
          into[start + i] = bias === null ? sum : sum + bias;
        }
      }
    }
  }

  /** Where each term of a filter reads, and its weight. */
  #termsOf(filter: number, depth: number): Terms {
    const { groups, filters } = this.operation;
    const first = Math.floor(filter / (filters / groups)) * this.#channels;
    const [, high, wide] = this.#grid.kernel as [number, number, number];
    const kernel = this.weights.kernel.data;
    const places = new Int32Array(this.#terms.length);
    const weights = new Float64Array(this.#terms.length);
    this.#terms.forEach((number, n) => {
      const channel = Math.floor(number / this.#taps);
      const tap = number % this.#taps;
      places[n] = this.#sheets.at(first + channel, depth, [Math.floor(tap / (high * wide)), Math.floor(tap / wide) % high, tap % wide]);
      weights[n] = kernel[filter * this.#terms.length + number] as number;
    });
    return { x: this.#sheets.data, places, weights };
  }

  #add(sums: Float32Array | Float64Array, run: Float32Array | null, count: number, terms: Terms, shift: number): void {
    sums.fill(0, 0, count);
    if (sums instanceof Float64Array) {
      addDouble(sums, count, terms, 0, terms.places.length, shift);
      return;
    }
    let from = 0;
    this.#runs.forEach((groups, number) => {
      const into = number === 0 || run === null ? sums : run;
      if (number > 0) into.fill(0, 0, count);
      if (this.order.fused) {
        addFused(into, count, terms, from, from + groups.length, shift);
        from += groups.length;
      } else {
        for (const size of groups) {
          addGroup(into, count, terms, from, size, shift);
          from += size;
        }
      }
      if (into !== sums) for (let n = 0; n < count; n++) sums[n] = (sums[n] as number) + (into[n] as number);
    });
  }
}

/** The numbers (channel x taps + tap) of the terms as they are taken. */
export function orderOfTerms(order: Order, channels: number, taps: number): Int32Array {
  const found = new Int32Array(channels * taps);
  const block = order.block === 0 ? 1 : order.block;
  let n = 0;
  for (let first = 0; first < channels; first += block) {
    const last = Math.min(first + block, channels);
    for (let tap = 0; tap < taps; tap++) for (let channel = first; channel < last; channel++) found[n++] = channel * taps + tap;
  }
  return found;
}

/** How many terms each group has, run by run. */
export function groupsOf(order: Order, terms: number): number[][] {
  const size = order.fused || order.double ? 1 : order.group;
  const run = order.double ? Math.max(terms, 1) : order.chunk || Math.max(terms, 1);
  const found: number[][] = [];
  for (let first = 0; first < terms; first += run) {
    const sizes: number[] = [];
    let group = size;
    for (let left = Math.min(run, terms - first); left > 0; ) {
      if (group > left) group = Math.floor(group / 2);
      else {
        sizes.push(group);
        left -= group;
      }
    }
    found.push(sizes);
  }
  return found;
}
