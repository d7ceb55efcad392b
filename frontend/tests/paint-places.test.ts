/** Where things stand: cells of the grid, tiles of a map, the camera; checked against the geometry that they draw. */
import { describe, expect, it } from "vitest";
import { scales } from "../src/paint/chosen";
import { levelAt, tilesIn } from "../src/paint/tiles";
import { fitted, moved as pan, pixelAt, showing, zoomed } from "../src/panels/map/camera";
import { cornerOf, gridOf, LABEL, levelFor, moved, under, within } from "../src/panels/maps/layout";
import { ordered, signsOf } from "../src/panels/maps/order";
import { FakeSource } from "./fake";

describe("the grid", () => {
  const grid = gridOf(2048, 1000, 100, 1078, 1438);

  it("keeps the proportions of a map and fits the width", () => {
    expect(grid.tall / grid.wide).toBeCloseTo(1078 / 1438, 2);
    expect(grid.across * grid.stepX).toBeLessThanOrEqual(1000);
    expect(grid.across * grid.down).toBeGreaterThanOrEqual(2048);
  });

  it.each([0, 1, 8, 9, 777, 2047])("finds cell %i again where it stands", (place) => {
    const { x, y } = cornerOf(grid, place);
    expect(under(grid, x + 0.5, y + 0.5)).toMatchObject({ place, inside: true });
    expect(under(grid, x + grid.wide - 0.5, y + grid.tall - 0.5)).toMatchObject({ place, inside: true });
    expect(under(grid, x + 1, y + grid.tall + LABEL - 1)).toMatchObject({ place, inside: false });
    expect(under(grid, x - 2, y)).toBeNull();
  });

  it("names the cells of a band, and no more than the grid has", () => {
    expect(within(grid, 0, 50)).toEqual([0, grid.across]);
    const [first, last] = within(grid, 5000, 5600);
    expect(cornerOf(grid, first).y + grid.stepY).toBeGreaterThan(5000);
    expect(cornerOf(grid, last - 1).y).toBeLessThan(5600);
    expect(cornerOf(grid, last).y).toBeGreaterThan(5600 - grid.stepY);
    expect(within(grid, grid.height, grid.height + 500)[1]).toBe(2048);
  });

  it("is walked by keys, and left by none", () => {
    expect(moved(grid, 0, "ArrowLeft", 3)).toBe(0);
    expect(moved(grid, 0, "ArrowDown", 3)).toBe(grid.across);
    expect(moved(grid, 5, "PageDown", 3)).toBe(5 + 3 * grid.across);
    expect(moved(grid, 2047, "PageDown", 3)).toBe(2047);
    expect(moved(grid, 5, "End", 3)).toBe(2047);
    expect(moved(grid, 5, "a", 3)).toBeUndefined();
  });

  it("loads a level of about as many values as pixels", () => {
    expect(levelFor(1438, 6, 112)).toBe(4);
    expect(levelFor(1438, 6, 225)).toBe(2);
    expect(levelFor(56, 1, 112)).toBe(0);
  });
});

describe("the order", () => {
  it("puts the largest first, unknown last, equals by number", async () => {
    const fake = new FakeSource([{ name: "conv", shape: [12, 8, 8] }]);
    const facts = await fake.channels("run", "conv");
    facts.mean = [1, null, 3, 1, 2, null, 0, 0, 0, 0, 0, 0];
    expect(ordered(12, "mean", facts).slice(0, 4)).toEqual([2, 4, 0, 3]);
    expect(ordered(12, "mean", facts).slice(-2)).toEqual([1, 5]);
    expect(ordered(3, "mean", null)).toEqual([0, 1, 2]);
    const map = fake.map(fake.layer("conv"));
    expect([0, 1, 2, 3].map((channel) => signsOf(facts, channel, map))).toEqual([[], ["dead"], ["constant"], ["nan", "infinite"]]);
  });
});

describe("the chosen scale", () => {
  it("spans one map, its layer, or all maps that have arrived", async () => {
    const fake = new FakeSource([{ name: "conv", shape: [8, 4, 4] }]);
    const map = { ...fake.map(fake.layer("conv")), minimum: 0, maximum: 2 };
    const other = { ...map, minimum: -9, maximum: 1 };
    const channels = await fake.channels("run", "conv");
    const choice = { mode: "auto", map, maps: [map, other], channels } as const;
    expect(scales({ ...choice, scale: "layer" })(0)).toEqual({ minimum: 0, maximum: 2, diverging: false });
    expect(scales({ ...choice, scale: "network" })(0)).toEqual({ minimum: -9, maximum: 9, diverging: true });
    expect(scales({ ...choice, scale: "map" })(2)).toEqual({ minimum: 0, maximum: 0.5, diverging: false });
    expect(scales({ ...choice, scale: "map", channels: null })(2)).toEqual({ minimum: 0, maximum: 2, diverging: false });
  });
});

describe("tiles", () => {
  it("cover what is seen and nothing else, the middle first", () => {
    const seen = { top: 300, bottom: 900, left: 0, right: 257 };
    const tiles = tilesIn(seen, 0);
    expect(tiles).toHaveLength(3 * 2);
    expect(tiles[0]).toEqual({ row: 2, column: 0 });
    expect(tilesIn(seen, 2)).toEqual([{ row: 0, column: 0 }]);
  });

  it("come from the level that fits the zoom", () => {
    expect([4, 1, 0.5, 0.25, 0.1, 0.001].map((zoom) => levelAt(zoom, 5))).toEqual([0, 0, 1, 2, 3, 4]);
  });
});

describe("the camera", () => {
  const size = { rows: 1078, columns: 1438 };
  const window = { width: 400, height: 500 };
  const whole = fitted(size, window);

  it("shows the whole map at first, and not less", () => {
    expect(pixelAt(whole, 0, 0, size)).toBeNull();
    expect(whole.zoom * size.columns).toBeCloseTo(384);
    expect(zoomed(whole, 0.1, 200, 200, size, window)).toEqual(whole);
  });

  it("keeps the pixel under the cursor while it zooms, to single values", () => {
    let camera = whole;
    const before = pixelAt(whole, 150, 260, size);
    for (let n = 0; n < 40; n++) camera = zoomed(camera, 1.3, 150, 260, size, window);
    expect(camera.zoom).toBe(120);
    expect(pixelAt(camera, 150, 260, size)?.column).toBe(before?.column); // rows are centred until they fill the window
    const again = zoomed(zoomed(camera, 0.5, 150, 260, size, window), 2, 150, 260, size, window);
    expect(again.x).toBeCloseTo(camera.x, 6);
  });

  it("is never moved off the map", () => {
    const close = zoomed(whole, 20, 200, 250, size, window);
    expect(pan(close, 1e9, 1e9, size, window).x).toBeCloseTo(-8 / close.zoom);
    expect(pixelAt(pan(close, -1e9, -1e9, size, window), 399 - 8, 499 - 8, size)).toEqual({ row: 1077, column: 1437 });
  });

  it("goes to a pixel that is out of sight", () => {
    const close = zoomed(whole, 200, 200, 250, size, window);
    const there = showing(close, 1000, 20, size, window);
    const x = (20.5 - there.x) * there.zoom;
    const y = (1000.5 - there.y) * there.zoom;
    expect(pixelAt(there, x, y, size)).toEqual({ row: 1000, column: 20 });
    expect(x > 0 && x < 400 && y > 0 && y < 500).toBe(true);
  });

  it("draws a sequence higher than it is", () => {
    const line = { rows: 1, columns: 160 };
    const camera = fitted(line, window);
    expect(pixelAt(camera, 200, 250, line)).toEqual({ row: 0, column: 80 });
    expect(pixelAt(camera, 200, 250 + camera.zoom * 9.9, line)).toEqual({ row: 0, column: 80 });
    expect(pixelAt(camera, 200, 250 + camera.zoom * 10.1, line)).toBeNull();
  });
});
