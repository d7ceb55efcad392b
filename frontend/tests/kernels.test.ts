/** Where kernels stand, which of them are seen, and the colours of filters that read red, green and blue. */
import { describe, expect, it } from "vitest";
import { inColour, limitOf } from "../src/panels/kernels/drawing";
import { Weights } from "../src/panels/kernels/reading.svelte";
import { cornerOf, firstChannel, seen, shapeOf, tilingOf, weightAt } from "../src/panels/kernels/tiling";
import type { KernelsFact } from "../src/source/facts";
import type { Source, Values } from "../src/source/source";

describe("the tiling", () => {
  it("reads the kernel's own axes, however many there are", () => {
    expect(shapeOf([64, 3, 7, 7])).toEqual({ filters: 64, channels: 3, rows: 7, columns: 7 });
    expect(shapeOf([8, 4, 5])).toEqual({ filters: 8, channels: 4, rows: 1, columns: 5 });
    expect(shapeOf([2, 1, 3, 3, 3])).toEqual({ filters: 2, channels: 1, rows: 9, columns: 3 });
  });

  for (const [name, tiles, room] of [
    ["lines of channels", 512, 600],
    ["one tile a filter", 1, 317],
  ] as const) {
    it(`finds each weight where it is drawn: ${name}`, () => {
      const shape = { filters: 2048, channels: tiles, rows: 3, columns: 3 };
      const tiling = tilingOf(shape, tiles, room);
      for (const place of [0, 1, 7, 8, 2047]) {
        for (const tile of [0, tiles - 1]) {
          const { x, y } = cornerOf(tiling, place, tile);
          const at = (row: number, column: number) => weightAt(tiling, 2048, x + (column + 0.5) * tiling.cell, y + (row + 0.5) * tiling.cell);
          expect(at(2, 1)).toEqual({ place, tile, row: 2, column: 1 });
          expect(weightAt(tiling, 2048, x + 1, y + tiling.tile.height + 1)).toBeNull();
        }
      }
    });

    it(`sees every tile that reaches into view, and few others: ${name}`, () => {
      const shape = { filters: 2048, channels: tiles, rows: 3, columns: 3 };
      const tiling = tilingOf(shape, tiles, room);
      const view = { left: 0, top: 5000, width: room, height: 300 };
      const { places, tiles: across } = seen(tiling, 2048, view);
      for (let place = 0; place < 2048; place++) {
        const { y } = cornerOf(tiling, place, 0);
        const inView = y + tiling.tile.height > view.top && y < view.top + view.height;
        if (inView) expect(place >= places[0] && place < places[1]).toBe(true);
      }
      expect((places[1] - places[0]) * (across[1] - across[0])).toBeLessThan(600);
    });
  }
});

describe("the channels of a filter", () => {
  it("are those of its group", () => {
    const depthwise = { filters: 6, channels: 1, rows: 3, columns: 3 };
    expect([0, 1, 5].map((filter) => firstChannel(filter, depthwise, 6))).toEqual([0, 1, 5]);
    const halves = { filters: 6, channels: 4, rows: 3, columns: 3 };
    expect([0, 2, 3, 5].map((filter) => firstChannel(filter, halves, 2))).toEqual([0, 0, 4, 4]);
    expect(firstChannel(5, halves, 1)).toBe(0);
  });
});

describe("colours of filters", () => {
  it("are Python's: 128 is 0, 1 and 255 the limits", () => {
    // convlens.draw.colour_kernels.in_colour([[[[0.0]], [[1.0]], [[-1.0]]]], [1.0]) -> [128, 255, 1]
    expect(inColour(Float32Array.of(0, 1, -1), 1, 1)).toEqual(["rgb(128 255 1)"]);
    expect(inColour(Float32Array.of(0, NaN, -1), 1, 1)).toEqual(["rgb(255 45 166)"]);
    expect(limitOf(Float32Array.of(0.5, -2, Infinity, NaN))).toBe(2);
  });
});

describe("the weights", () => {
  const fact = { layer: "conv", shape: [2048, 512, 3, 3], norms: [] } as unknown as KernelsFact;

  it("are read in blocks, once, and only those wanted", async () => {
    const asked: [number, number][] = [];
    const kernelValues = (_model: string, _layer: string, first: number, count: number): Promise<Values> => {
      asked.push([first, count]);
      return Promise.resolve({ data: new Float32Array(count * 4608).fill(first), shape: [count, 512, 3, 3], exact: true });
    };
    const weights = new Weights({ kernelValues } as unknown as Source, { model: "m" }, fact);
    expect(weights.filter(20)).toBeNull();
    weights.want([20, 21]);
    weights.want([22]);
    await Promise.resolve();
    await Promise.resolve();
    expect(asked).toEqual([[14, 14]]);
    expect(weights.filter(20)?.length).toBe(4608);
    expect(weights.filter(20)?.[0]).toBe(14);
    weights.want([2047]);
    expect(asked[1]).toEqual([2044, 4]);
  });
});
