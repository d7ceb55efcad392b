/** The source that lives in a report's file: everything is worked out in it, and what it hasn't is said. */
import { deflateSync } from "node:zlib";
import { afterAll, describe, expect, it, vi } from "vitest";
import type { Convolution } from "../src/arithmetic/operations";
import type { ChannelsFact, ExplanationFact, LayerFact, MapFact, RunFact } from "../src/source/facts";
import { Asker } from "../src/source/embedded/asker";
import type { Contents, ModelContents, Plan, RunContents } from "../src/source/embedded/contents";
import { crcOf } from "../src/source/embedded/crc";
import { EmbeddedSource } from "../src/source/embedded/source";
import type { Problem } from "../src/source/source";
import { Pieces, png } from "./reports";

const f = Math.fround;
const [ROWS, COLUMNS] = [40, 70];
const PIXELS = Array.from({ length: ROWS * COLUMNS }, (_, n) => (n * n * 3 + n * 7) % 256);
const TABLE = Float32Array.from({ length: 256 }, (_, n) => f(n / 255 - 0.5));
const KERNEL = Float32Array.from({ length: 18 }, (_, n) => f(Math.sin(n + 1)));
const BIAS = Float32Array.of(0.1, -0.2);

const image = (row: number, column: number) => TABLE[PIXELS[row * COLUMNS + column] as number] as number;

/** Two filters of 3 x 3, term after term with one rounding each, then the bias. */
function conv(filter: number, row: number, column: number): number {
  let sum = 0;
  for (let tap = 0; tap < 9; tap++) sum = f(sum + image(row + Math.floor(tap / 3), column + (tap % 3)) * (KERNEL[filter * 9 + tap] as number));
  return f(sum + (BIAS[filter] as number));
}

const CONV = Float32Array.from({ length: 2 * 38 * 68 }, (_, n) => conv(Math.floor(n / (38 * 68)), Math.floor(n / 68) % 38, n % 68));
const SMALL = Float32Array.from({ length: 2 * 19 * 34 }, (_, n) => n % 7);

function layer(name: string, kind: string, inputs: string[], shape: number[], macs = 0): LayerFact {
  const field = { size: [3, 3], stride: [1, 1], start: [0, 0], end: [2, 2], whole: false, exact: true };
  return { name, op: kind, kind, scope: [], inputs, output_shape: shape, parameters: 0, macs, dtype: "float32", shares: null, notes: [], has_kernels: kind === "convolution", receptive_field: field };
}

function map(name: string): MapFact {
  return { layer: name, shape: [2, 38, 68], channels: 2, slices: 1, rows: 38, columns: 68, levels: 3, minimum: 0, maximum: 1, mean: 0, deviation: 1, zeros: 0, nan: 0, infinite: 0, constant: false, strongest: 0 };
}

interface Change {
  crc?: number;
  macs?: number;
  version?: number;
  /** The maps and the weights of the convolution are carried in float16. */
  reduced?: boolean;
  /** The weights of the convolution aren't its own. */
  coarse?: boolean;
  /** What the file says of the convolution's channels. */
  told?: ChannelsFact;
}

function report({ crc = crcOf(CONV), macs = 0, version = 1, reduced = false, coarse = false, told }: Change = {}): [Contents, string[]] {
  const pieces = new Pieces();
  const operation: Convolution = { type: "Convolution", in_channels: 1, filters: 2, kernel_size: [3, 3], stride: [1, 1], dilation: [1, 1], padding: [[0, 0], [0, 0]], groups: 1, bias: true, transposed: false, output_padding: [], padding_mode: "zeros" };
  const fact = { id: "m", name: "small", engine: "onnx", title: null, says: null, step: null };
  const layers = [layer("conv", "convolution", ["image"], [2, 38, 68], macs), layer("relu", "activation", ["conv"], [2, 38, 68]), layer("half", "other", ["relu"], [2, 38, 68]), layer("lost", "other", ["relu"], [2, 38, 68]), layer("constructor", "other", ["relu"], [2, 38, 68])];
  const recipe = { resize: "none", size: null, crop: 1, interpolation: "", channels: "grey", scale: 1, mean: [], std: [], notes: [] };
  const model: ModelContents = {
    network: { model: fact, inputs: [{ name: "image", shape: [1, ROWS, COLUMNS], dtype: "float32" }], outputs: ["half"], layers, parameters: 20, macs, notes: [], recipe, recipe_source: "default" },
    derivations: {},
    kernels: {},
    operations: { conv: operation, relu: { type: "Activation", function: "relu", constants: [], axis: null }, half: { type: "Pointwise", function: "identity", axes: [], settles_nan: true }, lost: null },
    sums_in: {},
    left_out: [],
    weights: { conv: { kernel: { ...pieces.floats(KERNEL, [2, 1, 3, 3]), exact: !reduced && !coarse }, bias: pieces.floats(BIAS, [2]) } },
  };
  const common = { exact: true, overview: null, says: null };
  const plans: Record<string, Plan> = {
    conv: { ...common, how: "ordered", order: { block: 0, chunk: 0, group: 1, fused: true, double: false }, off: null, crc, overview: { array: pieces.floats(SMALL, [2, 1, 19, 34]), level: 1, ...(told && { channels: told }) } },
    relu: { ...common, how: "formula", off: null, crc: crcOf(CONV.map((value) => Math.max(value, 0))) },
    half: { how: "values", array: { ...pieces.floats(SMALL, [2, 1, 19, 34]), exact: false }, level: 1, exact: false, crc: null, overview: null, says: "This file carries the maps in float16, at 1/2 of their resolution" },
  };
  if (reduced) plans["conv"] = { how: "values", array: { ...pieces.floats(CONV, [2, 38, 68]), exact: false }, level: 0, exact: false, crc: null, overview: null, says: "This file carries the maps in float16" };
  const picture = pieces.plain(png(PIXELS, ROWS, COLUMNS, 1, [2, 4]));
  const run: RunFact = { id: "r", model: "m", picture: "p", recipe: null, recipe_source: null, caption: "", rows: ROWS, columns: COLUMNS, state: "done", done: 3, total: 3, maps: ["conv", "relu", "half", "lost", "constructor"].map(map), prediction: null, problem: null };
  const table = pieces.plain(deflateSync(Buffer.from(TABLE.buffer)));
  const contents: RunContents = {
    run,
    picture,
    inputs: { image: { coding: "pixels", shape: [1, ROWS, COLUMNS], blob: table, exact: true, png: picture, from: [0] } },
    plans,
    seen: { conv: { tables: [pieces.integers(Int32Array.from({ length: 76 }, (_, n) => (n < 38 ? n : -(n - 38) - 2)), [2, 1, 38, 1]), pieces.integers(Int32Array.of(5, -9), [2, 1, 1, 1])], exact: true } },
  };
  const limits = { upload_bytes: 0, upload_pixels: 0, upload_model: false };
  const session = { version: "0", models: [fact], pictures: [], presets: {}, limits, model: "m", picture: "p", reductions: [] };
  const originals = { p: pieces.plain(Buffer.from("RIFFxxxxWEBP")) };
  return [{ format: "convlens-report", version, session, models: { m: pieces.json(model) }, runs: [{ id: "r", model: "m", picture: "p", blob: pieces.json(contents) }], originals, reductions: [] }, pieces.texts];
}

const noWorker = () => {
  throw new Error("no workers here");
};
const quiet = { started: () => undefined, arrived: () => undefined, ended: () => undefined };
const wanted = { model: "m", picture: "p", recipe: null };
const whole = { layer: "conv", level: 0, channel: 1, slice: 0, row: 0, column: 0 };

function sourceOf([contents, texts]: [Contents, string[]], start: () => Worker = noWorker): EmbeddedSource {
  const text = (blob: number) => texts[blob] as string;
  return new EmbeddedSource(contents, text, new Asker({ models: contents.models, runs: contents.runs }, text, start));
}

async function opened(change: Change = {}): Promise<EmbeddedSource> {
  const source = sourceOf(report(change));
  await source.run(wanted, quiet, new AbortController().signal);
  return source;
}

/** The worker's own code, behind a border that everything has to be copied across. */
async function besides(): Promise<Worker> {
  const page: ((event: unknown) => void)[] = [];
  const early: unknown[] = [];
  let desk: ((event: unknown) => void) | null = null;
  vi.stubGlobal("addEventListener", (_name: string, listener: (event: unknown) => void) => (desk = listener));
  vi.stubGlobal("postMessage", (message: unknown, options: StructuredSerializeOptions) => {
    const data = structuredClone(message, options);
    if (page.length) page.forEach((told) => told({ data }));
    else early.push(data);
  });
  vi.resetModules();
  await import("../src/source/embedded/worker");
  return {
    addEventListener: (name: string, listener: (event: unknown) => void) => {
      if (name !== "message") return;
      page.push(listener);
      early.splice(0).forEach((data) => listener({ data }));
    },
    postMessage: (message: unknown) => {
      const data = structuredClone(message);
      setTimeout(() => desk?.({ data }));
    },
    terminate: () => undefined,
  } as unknown as Worker;
}

afterAll(() => vi.unstubAllGlobals());

describe.each([
  ["in the page", async () => sourceOf(report())],
  ["in a worker", async () => ((worker) => sourceOf(report(), () => worker))(await besides())],
])("the source in a file, %s", (_where, make) => {
  it("gives the framework's own values", async () => {
    const source = await make();
    const run = await source.run(wanted, quiet, new AbortController().signal);
    expect(run.maps.length).toBe(5);
    const found = await source.maps("r", "conv", 0, [1, 0], 0);
    expect(found).toMatchObject({ shape: [2, 38, 68], exact: true });
    expect([...found.data]).toEqual([...CONV.subarray(38 * 68), ...CONV.subarray(0, 38 * 68)]);
    expect((await source.maps("r", "relu", 0, [0], 0)).exact).toBe(true);
    expect((await source.tile("r", whole)).data[69]).toBe(conv(1, 1, 1));
    expect([...(await source.kernelValues({ model: "m" }, "conv", 1, 5)).data]).toEqual([...KERNEL.subarray(9)]);
  });
  it("says what it hasn't", async () => {
    const source = await make();
    await source.run(wanted, quiet, new AbortController().signal);
    const problem = await source.maps("r", "lost", 0, [0], 0).catch((error: Problem) => error);
    expect((problem as Problem).fact.problem).toBe("This file doesn't hold lost");
  });
  it("drops what is no longer wanted", async () => {
    const source = await make();
    const leaving = new AbortController();
    const asked = source.tile("r", whole, leaving.signal);
    leaving.abort();
    await expect(asked).rejects.toThrow();
  });
});

describe("the source in a file", () => {
  it("explains a value, and walks on to the picture", async () => {
    const source = await opened();
    const fact = (await source.explanation("r", "conv", [1, 20, 30], 4)) as ExplanationFact;
    expect(fact).toMatchObject({ explained: true, agrees: true, framework_value: conv(1, 20, 30), near: null, reduced: null, rule: "convolution" });
    expect(fact.groups[0]?.window).toEqual(Array.from({ length: 9 }, (_, n) => image(20 + Math.floor(n / 3), 30 + (n % 3))));
    expect(await source.explanation("r", "image", [0, 3, 4], 4)).toEqual({ input: "image", index: [0, 3, 4], value: image(3, 4) });
  });
  it("calls what had to be reduced approximate, and never exact", async () => {
    const source = await opened();
    const tile = await source.tile("r", { ...whole, layer: "half" });
    expect(tile.exact).toBe(false);
    expect([tile.data[0], tile.data[1], tile.data[2], tile.data[68 * 2 + 2]]).toEqual([SMALL[646], SMALL[646], SMALL[647], SMALL[646 + 35]]);
    const fact = (await source.explanation("r", "half", [0, 0, 0], 4)) as ExplanationFact;
    expect(fact).toMatchObject({ near: "This file carries the maps in float16, at 1/2 of their resolution", means: 2, reduced: null });
    expect(fact.framework_value).toBe(SMALL[0]);
  });
  it("tells apart what a layer's own value lacks, and what it reads", async () => {
    const source = await opened({ reduced: true });
    expect((await source.explanation("r", "conv", [0, 0, 0], 4)) as ExplanationFact).toMatchObject({ near: "This file carries the maps in float16", reduced: "This file carries the weights of conv in float16" });
    expect((await source.explanation("r", "relu", [0, 0, 0], 4)) as ExplanationFact).toMatchObject({ near: null, reduced: "conv, which it reads: This file carries the maps in float16" });
  });
  it("doesn't call a tile exact that is worked out alone, from weights that aren't", async () => {
    const source = await opened({ macs: 1e9, coarse: true });
    expect((await source.tile("r", whole)).exact).toBe(false);
    expect(((await source.explanation("r", "conv", [1, 9, 60], 4)) as ExplanationFact).near).toContain("weights of conv");
    expect((await (await opened({ macs: 1e9 })).tile("r", whole)).exact).toBe(true);
  });
  it("doesn't call values exact that came out otherwise", async () => {
    const source = await opened({ crc: 1 });
    expect((await source.maps("r", "conv", 0, [0], 0)).exact).toBe(false);
    expect((await source.explanation("r", "conv", [0, 0, 0], 4)) as ExplanationFact).toMatchObject({ near: expect.stringMatching(/conv .*damaged/) as string, means: null, reduced: null });
    expect((await source.explanation("r", "relu", [0, 0, 0], 4)) as ExplanationFact).toMatchObject({ near: null, reduced: expect.stringMatching(/conv .*damaged/) as string });
  });
  it("shows an overview at once, and works out a tile of a long layer alone", async () => {
    const source = await opened({ macs: 1e9 });
    expect([...(await source.maps("r", "conv", 1, [1], 0)).data]).toEqual([...SMALL.subarray(646)]);
    const standsIn = await source.maps("r", "conv", 0, [1], 0, undefined, true);
    expect(standsIn).toMatchObject({ standsIn: true, exact: false, shape: [1, 38, 68] });
    expect(standsIn.data[0]).toBe(SMALL[646]);
    const tile = await source.tile("r", whole);
    expect([...tile.data]).toEqual([...CONV.subarray(38 * 68)]);
    expect(((await source.explanation("r", "conv", [1, 9, 60], 4)) as ExplanationFact).framework_value).toBe(conv(1, 9, 60));
    await source.channels("r", "conv"); // the whole layer
    const exactly = await source.maps("r", "conv", 1, [1], 0);
    expect(exactly.data[0]).toBe(f((conv(1, 0, 0) + conv(1, 1, 0) + (conv(1, 0, 1) + conv(1, 1, 1))) / 4));
  });
  it("knows what a value sees", async () => {
    const source = await opened();
    expect(await source.field("r", "conv", [1, 10, 20])).toEqual({ unclipped: [[10, 12], [20, 22]], clipped: [[10, 12], [5, 9]], exact: true });
    expect(await source.field("r", "relu", [1, 37, 20])).toEqual({ unclipped: [[37, 39], [20, 22]], clipped: [[37, 39], [20, 22]], exact: false });
  });
  it("tells of every channel", async () => {
    const facts = await (await opened()).channels("r", "conv");
    expect(facts.maximum[1]).toBe(CONV.subarray(38 * 68).reduce((most, value) => Math.max(most, value)));
    expect(facts.near).toBe(false);
    expect((await (await opened({ reduced: true })).channels("r", "conv")).near).toBe(true);
  });
  it("has the values themselves for whom nothing stands in, and for all once they are at hand", async () => {
    const source = await opened({ macs: 1e9 });
    const values = await source.maps("r", "conv", 0, [1], 0);
    expect([...values.data]).toEqual([...CONV.subarray(38 * 68)]);
    expect(values).toMatchObject({ exact: true, standsIn: false });
    expect((await source.maps("r", "conv", 0, [1], 0, undefined, true)).standsIn).toBe(false);
  });
  it("tells what the file says of the channels before it has worked out the layer", async () => {
    const told = await (await opened()).channels("r", "conv");
    const source = await opened({ told: { ...told, mean: [1, 2] }, crc: 1 });
    expect((await source.channels("r", "conv")).mean).toEqual([1, 2]);
  });
  it("has its pictures in their addresses", async () => {
    const source = await opened();
    expect(source.pictureAddress("r")).toMatch(/^data:image\/png;base64,iVBOR/);
    expect(source.originalAddress("p")).toMatch(/^data:image\/webp;base64,UklGR/);
    expect([source.pictureAddress("x"), source.originalAddress("x")]).toEqual(["", ""]);
  });
  it("holds its own runs alone", async () => {
    const source = sourceOf(report());
    const signal = new AbortController().signal;
    await expect(source.run({ ...wanted, picture: "other" }, quiet, signal)).rejects.toThrow("doesn't hold the maps");
    expect(source.can).toEqual({ run: false, effective: false, files: false });
    await expect(source.addPicture()).rejects.toThrow("can't run a model");
  });
  it("finds nothing by a name but what is in the file", async () => {
    const source = await opened();
    await expect(source.maps("r", "constructor", 0, [0], 0)).rejects.toThrow("doesn't hold constructor");
    await expect(source.derivation({ model: "m" }, "constructor")).rejects.toThrow("doesn't hold constructor");
    expect((await source.field("r", "constructor", [0, 1, 2]))?.exact).toBe(false);
  });
  it("doesn't misread contents that are newer than it", async () => {
    await expect(sourceOf(report({ version: 2 })).session()).rejects.toThrow("newer");
    expect((await sourceOf(report()).session()).model).toBe("m");
  });
});
