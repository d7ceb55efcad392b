/** Convolutions in their framework's order, held against loops that take one value, one term at a time. */
import { describe, expect, it } from "vitest";
import type { Convolution, Tensor } from "../src/arithmetic/operations";
import type { Order } from "../src/source/embedded/contents";
import { Convolver, groupsOf, IN_FLOAT64, orderOfTerms } from "../src/source/embedded/convolving";

const f = Math.fround;

function numbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return f(state / 2 ** 31 - 1);
  };
}

function tensor(shape: number[], next: () => number): Tensor {
  const count = shape.reduce((product, size) => product * size, 1);
  return { shape, data: Float32Array.from({ length: count }, next) };
}

function convolution(change: Partial<Convolution>): Convolution {
  return {
    type: "Convolution",
    in_channels: 2,
    filters: 2,
    kernel_size: [3, 3],
    stride: [1, 1],
    dilation: [1, 1],
    padding: [
      [0, 0],
      [0, 0],
    ],
    groups: 1,
    bias: true,
    transposed: false,
    output_padding: [],
    padding_mode: "zeros",
    ...change,
  };
}

/** One value, its terms as an array of [number, weight], added up as the order says: straight from its words. */
function added(order: Order, terms: [number, number][], bias: number): number {
  if (order.double) return f(terms.reduce((sum, [x, k]) => sum + x * k, 0) + bias);
  const length = order.chunk || terms.length;
  let total: number | null = null;
  for (let first = 0; first < terms.length; first += length) {
    const run = terms.slice(first, first + length);
    let sum = 0;
    let group = order.fused ? 1 : order.group;
    while (run.length) {
      while (group > run.length) group /= 2;
      const part = run.splice(0, group);
      if (order.fused) for (const [x, k] of part) sum = f(sum + x * k);
      else sum = f(sum + part.map(([x, k]) => f(x * k)).reduce((a, b) => f(a + b)));
    }
    total = total === null ? sum : f(total + sum);
  }
  return f((total ?? 0) + bias);
}

function naive(operation: Convolution, order: Order, source: Tensor, kernel: Tensor, bias: Tensor, outputs: number[]): number[] {
  const per = operation.in_channels / operation.groups;
  const places = (sizes: number[]): number[][] => sizes.reduce<number[][]>((found, size) => found.flatMap((place) => Array.from({ length: size }, (_, n) => [...place, n])), [[]]);
  const found: number[] = [];
  for (let filter = 0; filter < operation.filters; filter++) {
    const start = Math.floor(filter / (operation.filters / operation.groups)) * per;
    for (const place of places(outputs)) {
      const taps = places(operation.kernel_size);
      const term = (channel: number, tap: number): [number, number] => {
        const at = place.map((p, n) => p * operation.stride[n]! - operation.padding[n]![0] + taps[tap]![n]! * operation.dilation[n]!);
        const inside = at.every((p, n) => p >= 0 && p < source.shape[n + 1]!);
        const index = at.reduce((sum, p, n) => sum * source.shape[n + 1]! + p, start + channel);
        return [inside ? source.data[index]! : 0, kernel.data[(filter * per + channel) * taps.length + tap]!];
      };
      const terms: [number, number][] = [];
      const block = order.block || 1;
      for (let first = 0; first < per; first += block) {
        for (let tap = 0; tap < taps.length; tap++) for (let channel = first; channel < Math.min(per, first + block); channel++) terms.push(term(channel, tap));
      }
      found.push(added(order, terms, bias.data[filter]!));
    }
  }
  return found;
}

const FUSED: Order = { block: 0, chunk: 0, group: 1, fused: true, double: false };
const ORDERS: [string, Order][] = [
  ["fused", FUSED],
  ["fused in blocks", { ...FUSED, block: 4 }],
  ["fused in runs", { ...FUSED, chunk: 9 }],
  ["fours", { ...FUSED, group: 4, fused: false }],
  ["eights in blocks and runs", { block: 2, chunk: 11, group: 8, fused: false, double: false }],
  ["ones", { ...FUSED, fused: false }],
  ["twos", { ...FUSED, group: 2, fused: false, chunk: 5 }],
  ["float64", IN_FLOAT64],
];

const SHAPES: [string, Partial<Convolution>, number[], number[]][] = [
  ["plain", {}, [2, 7, 9], [5, 7]],
  ["padded, stride 2", { stride: [2, 2], padding: [[1, 1], [1, 0]] }, [2, 8, 9], [4, 4]],
  ["grouped, dilated, stride 3 by 1", { in_channels: 6, filters: 4, groups: 2, kernel_size: [2, 3], stride: [3, 1], dilation: [2, 2], padding: [[0, 2], [2, 2]] }, [6, 9, 6], [3, 6]],
  ["depthwise", { in_channels: 4, filters: 4, groups: 4, padding: [[1, 1], [1, 1]] }, [4, 5, 5], [5, 5]],
  ["one row", { kernel_size: [4], stride: [2], dilation: [1], padding: [[1, 2]] }, [2, 11], [6]],
  ["a volume", { kernel_size: [2, 2, 3], stride: [2, 1, 2], dilation: [1, 2, 1], padding: [[1, 0], [0, 1], [1, 1]] }, [2, 5, 4, 6], [3, 3, 3]],
  ["1 x 1 of many channels", { in_channels: 19, filters: 3, kernel_size: [1, 1] }, [19, 3, 3], [3, 3]],
];

describe.each(ORDERS)("a convolution in the order %s", (_name, order) => {
  it.each(SHAPES)("%s", (_shape, change, input, outputs) => {
    const operation = convolution(change);
    const next = numbers(7);
    const source = tensor(input, next);
    const kernel = tensor([operation.filters, operation.in_channels / operation.groups, ...operation.kernel_size], next);
    const bias = tensor([operation.filters], next);
    const convolver = new Convolver(operation, order, source, { kernel, bias }, outputs);
    const [depths, rows, columns] = [...Array<number>(3 - outputs.length).fill(1), ...outputs] as [number, number, number];
    const found = new Float32Array(operation.filters * depths * rows * columns);
    for (let filter = 0; filter < operation.filters; filter++) {
      for (let depth = 0; depth < depths; depth++) {
        const at = (filter * depths + depth) * rows * columns;
        convolver.rows(filter, depth, 0, 1, found, at);
        convolver.rows(filter, depth, 1, rows, found, at + columns);
      }
    }
    expect([...found]).toEqual(naive(operation, order, source, kernel, bias, outputs));
  });
});

describe("the order of terms", () => {
  it("goes in blocks of channels, the last one smaller", () => {
    expect([...orderOfTerms({ ...FUSED, block: 2 }, 3, 2)]).toEqual([0, 2, 1, 3, 4, 5]);
  });
  it("is cut into runs, and these into groups that get smaller", () => {
    expect(groupsOf({ ...FUSED, group: 4, chunk: 8, fused: false }, 15)).toEqual([
      [4, 4],
      [4, 2, 1],
    ]);
  });
});
