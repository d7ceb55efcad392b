/** One explanation reads its window and no more: a convolution over a large layer is told in milliseconds. */
import { describe, expect, it } from "vitest";
import { explain, type Described } from "../src/arithmetic/explaining";
import { explanationFact } from "../src/arithmetic/telling";

const [CHANNELS, ROWS, COLUMNS] = [134, 300, 300];
const data = new Float32Array(CHANNELS * ROWS * COLUMNS).map((_, n) => (n % 97) - 48);
const source = { shape: [CHANNELS, ROWS, COLUMNS], data };
const kernel = { shape: [2, CHANNELS, 3, 3], data: new Float32Array(2 * CHANNELS * 9).map((_, n) => (n % 13) - 6) };
const bias = { shape: [2], data: new Float32Array([0.5, -0.5]) };
const layer: Described = {
  ...{ name: "conv", op: "Conv", kind: "convolution", inputs: ["x"], output_shape: [2, ROWS, COLUMNS], dtype: "float32" },
  operation: {
    ...{ type: "Convolution", in_channels: CHANNELS, filters: 2, kernel_size: [3, 3], stride: [1, 1], dilation: [1, 1] },
    ...{ padding: [[1, 1], [1, 1]], groups: 1, bias: true, transposed: false, output_padding: [], padding_mode: "zeros" },
  },
};

describe("a large layer", () => {
  it("is explained by reading 1,206 of its values", () => {
    const index = [1, 150, 299];
    let sum = -0.5;
    for (let channel = 0; channel < CHANNELS; channel++)
      for (let row = 0; row < 3; row++)
        for (let column = 0; column < 3; column++) {
          const [at, to] = [149 + row, 298 + column];
          const value = to < COLUMNS ? (data[(channel * ROWS + at) * COLUMNS + to] as number) : 0;
          sum += value * (kernel.data[((CHANNELS + channel) * 3 + row) * 3 + column] as number);
        }
    const worked = explain(layer, index, [source], { kernel, bias });
    expect(worked?.total).toBe(sum); // whole numbers and a half: exact in any order
    const fact = explanationFact(layer, index, sum, worked, 24);
    expect([fact.terms_total, fact.terms.length, fact.groups.length, fact.groups_total]).toEqual([804, 40, 24, 134]);
    const groups = fact.groups.reduce((made, group) => made + Number(group.sum), 0);
    expect(groups + Number(fact.folded_sum) + Number(fact.bias)).toBe(sum);
  });

  it("takes less than 5 ms", () => {
    const once = (n: number) => {
      const index = [n % 2, n, n];
      explanationFact(layer, index, 0, explain(layer, index, [source], { kernel, bias }), 24);
    };
    for (let n = 0; n < 20; n++) once(n);
    const times = Array.from({ length: 30 }, (_, n) => {
      const start = performance.now();
      once(100 + n);
      return performance.now() - start;
    });
    times.sort((one, other) => one - other);
    expect(times[15]).toBeLessThan(5);
  });
});
