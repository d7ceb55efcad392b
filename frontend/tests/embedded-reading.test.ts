/** What a report's file is made of: blobs, arrays, pictures, checksums, corrections, levels of detail, boxes. */
import { crc32, deflateSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { integersOf, valuesOf } from "../src/source/embedded/arrays";
import { Blobs } from "../src/source/embedded/blobs";
import type { ArrayFact } from "../src/source/embedded/contents";
import { crcOf } from "../src/source/embedded/crc";
import { Kept } from "../src/source/embedded/kept";
import { fromMeans, meansInto, partOf, planesOf } from "../src/source/embedded/planes";
import { readPng } from "../src/source/embedded/png";
import { boxFact, clippedBox } from "../src/source/embedded/seeing";
import { corrected } from "../src/source/embedded/steps";
import { surveyed } from "../src/source/embedded/surveying";
import { inPlanes, png } from "./reports";

function blobs(...pieces: Uint8Array[]): Blobs {
  return new Blobs((n) => Buffer.from(pieces[n]!).toString("base64"));
}

function array(change: Partial<ArrayFact>): ArrayFact {
  return { coding: "f32", shape: [3], blob: 0, exact: true, ...change };
}

const random = (count: number) => Float32Array.from({ length: count }, (_, n) => Math.fround(Math.sin(n * 12.9898 + 1) * 3));

describe("an array", () => {
  it("in float32 keeps every bit", async () => {
    const values = Float32Array.of(1.5, -0, NaN, Infinity, 1e-42);
    expect(await valuesOf(blobs(deflateSync(inPlanes(values))), array({ shape: [5] }))).toEqual(values);
  });
  it("in float16 is widened", async () => {
    const halves = Uint16Array.of(0x3c00, 0xc000, 0x3555);
    const found = await valuesOf(blobs(deflateSync(inPlanes(halves))), array({ coding: "f16" }));
    expect([...found]).toEqual([1, -2, 0.333251953125]);
  });
  it("of whole numbers", async () => {
    const numbers = Int32Array.of(-1, 70000, 0);
    expect(await integersOf(blobs(deflateSync(inPlanes(numbers))), array({ coding: "i32" }))).toEqual(numbers);
  });
  it("of 8 bits has a scale for each entry of its first axis", async () => {
    const bytes = Buffer.concat([Buffer.from(Float32Array.of(0.5, 2).buffer), Buffer.from(Int8Array.of(127, -1, 3, -127).buffer)]);
    expect([...(await valuesOf(blobs(deflateSync(bytes)), array({ coding: "q8", shape: [2, 2] })))]).toEqual([63.5, -0.5, 6, -254]);
  });
  it("of a picture reads each channel by its own table", async () => {
    const tables = Float32Array.from({ length: 512 }, (_, n) => (n < 256 ? n / 256 : 300 - n));
    const picture = png([10, 20, 30, 40, 50, 60], 1, 2, 3, [0]);
    const found = await valuesOf(blobs(deflateSync(Buffer.from(tables.buffer)), picture), array({ coding: "pixels", shape: [2, 1, 2], png: 1, from: [2, 0] }));
    expect([...found]).toEqual([30 / 256, 60 / 256, 300 - 266, 300 - 296]);
  });
  it("that breaks off isn't read", async () => {
    await expect(valuesOf(blobs(deflateSync(Buffer.alloc(8))), array({}))).rejects.toThrow("12 bytes");
    await expect(valuesOf(blobs(Buffer.from("no zlib at all")), array({}))).rejects.toThrow();
  });
});

describe("a PNG picture", () => {
  it.each([
    ["grey", 1],
    ["RGB", 3],
    ["RGBA", 4],
  ])("in %s, with each of the five filters", async (_name, channels) => {
    const [rows, columns] = [11, 7];
    const pixels = Array.from({ length: rows * columns * channels }, (_, n) => (n * n * 7 + n * 31) % 256);
    const found = await readPng(png(pixels, rows, columns, channels, [0, 1, 2, 3, 4]));
    expect({ ...found, data: [...found.data] }).toEqual({ rows, columns, channels, data: pixels });
  });
  it("must be one", async () => {
    await expect(readPng(Buffer.from("GIF89a, say"))).rejects.toThrow("no PNG");
  });
});

describe("a checksum", () => {
  it.each([0, 1, 5, 1000])("of %i values is zlib's", (count) => {
    const values = random(count);
    expect(crcOf(values)).toBe(crc32(Buffer.from(values.buffer)));
  });
  it("takes -0 for 0", () => {
    expect(crcOf(Float32Array.of(-0, 1))).toBe(crcOf(Float32Array.of(0, 1)));
  });
  it.each([0x7fc00000, 0xffc00000, 0x7f800001, 0xff800001, 0x7fffffff, 0xffffffff, 0x7fc12345])("takes the NaN %i for any other", (bits) => {
    const values = new Float32Array(Uint32Array.of(bits, 0x3f800000).buffer);
    expect(crcOf(values)).toBe(crc32(Buffer.from(Uint32Array.of(0x7fc00000, 0x3f800000).buffer)));
  });
  it.each([0x7f800000, 0xff800000, 0x7f7fffff, 0x80000001])("takes the float %i for itself alone", (bits) => {
    const words = Uint32Array.of(bits, 0x3f800000);
    expect(crcOf(new Float32Array(words.buffer))).toBe(crc32(Buffer.from(words.buffer)));
  });
});

describe("corrections", () => {
  it("go from one float32 to the next, across 0 as well", () => {
    const least = 2 ** -149;
    expect([...corrected(Float32Array.of(1, 1, 0, -1, least), Int32Array.of(2, 1, 1, 2, 3))]).toEqual([1 + 2 ** -23, 1 - 2 ** -24, -least, -1 + 2 ** -24, -least]);
  });
});

describe("levels of detail", () => {
  const values = random(2 * 3 * 9 * 13);
  const planes = planesOf([2, 3, 9, 13]);
  const mean = (channel: number, slice: number, row: number, column: number, side: number) => {
    let [sum, count] = [0, 0];
    for (let r = row * side; r < Math.min(9, (row + 1) * side); r++) {
      for (let c = column * side; c < Math.min(13, (column + 1) * side); c++) [sum, count] = [sum + values[((channel * 3 + slice) * 9 + r) * 13 + c]!, count + 1];
    }
    return sum / count;
  };
  it.each([0, 1, 2, 3])("are means over blocks (level %i)", (level) => {
    const [rows, columns] = [Math.ceil(9 / 2 ** level), Math.ceil(13 / 2 ** level)];
    const found = new Float32Array(rows * columns);
    meansInto(partOf(values, planes, 1, 2, [0, 9], [0, 13]), level, found, 0);
    found.forEach((value, n) => expect(value).toBeCloseTo(mean(1, 2, Math.floor(n / columns), n % columns, 2 ** level), 5));
  });
  it("of means are means again, and are repeated where finer ones are asked for", () => {
    const means = { data: Float32Array.of(1, 2, 3, 4, 5, 6), first: 0, stride: 3, rows: 2, columns: 3 };
    const finer = new Float32Array(6);
    fromMeans(means, 1, { level: 0, rows: [1, 3], columns: [2, 5] }, finer, 0);
    expect([...finer]).toEqual([2, 2, 3, 5, 5, 6]);
    const coarser = new Float32Array(2);
    fromMeans(means, 1, { level: 2, rows: [0, 1], columns: [0, 2] }, coarser, 0);
    expect([...coarser]).toEqual([3, 4.5]);
  });
  it("look at every layer as planes", () => {
    expect([planesOf([5, 7]), planesOf([5]), planesOf([5, 4, 3, 2])].map((one) => Object.values(one))).toEqual([
      [5, 1, 1, 7],
      [5, 1, 1, 1],
      [5, 4, 3, 2],
    ]);
  });
});

describe("what is told of every channel", () => {
  it("is of its finite values", () => {
    const found = surveyed("conv", Float32Array.of(1, 3, 0, NaN, 2, 2, Infinity, -Infinity), 4);
    expect(found).toMatchObject({
      minimum: [1, 0, 2, null],
      maximum: [3, 0, 2, null],
      mean: [2, 0, 2, null],
      variance: [1, 0, 0, null],
      zeros: [0, 0.5, 0, 0],
      nan: [0, 1, 0, 0],
      infinite: [0, 0, 0, 2],
      constant: [false, false, true, false],
    });
    expect(found.histogram.edges.length).toBe(65);
    expect(found.histogram.counts.reduce((sum, count) => sum + count)).toBe(5);
    expect([found.histogram.counts[0], found.histogram.counts[21], found.histogram.counts[42], found.histogram.counts[63]]).toEqual([1, 1, 2, 1]);
  });
});

describe("a box", () => {
  const field = { size: [3], stride: [2], start: [-1], end: [1.5], whole: false, exact: true };
  const tables = [{ shape: [2, 1, 3], data: Int32Array.of(0, 1, 0x7fffffff, -1, -3, 0x7fffffff) }];
  it("is that of the tables", () => {
    expect(boxFact(field, [5, 1], tables, true, [4])).toEqual({ unclipped: [[1, 3]], clipped: [[1, 3]], exact: true });
    expect(clippedBox(tables, [5, 2])).toEqual([[0, -1]]);
  });
  it("is a bound, cut at the picture's edge, where there are none", () => {
    expect(boxFact(field, [0, 0], null, false, [4])).toEqual({ unclipped: [[-1, 1]], clipped: [[0, 1]], exact: false });
  });
});

describe("what is kept", () => {
  it("is made once, and let go when there is too much", async () => {
    const kept = new Kept<number>(10, (size) => size);
    let made = 0;
    const get = (name: string, size: number) => kept.get(name, async () => (made++, size));
    await get("a", 4);
    await get("b", 4);
    await get("a", 4);
    await get("c", 4);
    expect([made, kept.has("a"), kept.has("b"), kept.has("c")]).toEqual([3, true, false, true]);
  });
  it("forgets what failed", async () => {
    const kept = new Kept<number>(10, (size) => size);
    await expect(kept.get("a", () => Promise.reject(new Error("no")))).rejects.toThrow("no");
    expect(await kept.get("a", async () => 1)).toBe(1);
  });
});
