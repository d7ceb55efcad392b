/** GIFs: read back by a reader that is written apart from the writer, and bytes that are known. */
import { describe, expect, it } from "vitest";
import { closing, compressed, frameOf, indexed, opening } from "../src/learn/gif";

/** Codes to indices, as the specification's reader does it: a table of strings, nothing shared with the writer. */
function unpacked(data: number[], least: number): number[] {
  const made: number[] = [];
  let table: number[][] = [];
  let length = least + 1;
  let before: number[] | null = null;
  let at = 0;
  for (;;) {
    let code = 0;
    for (let bit = 0; bit < length; bit++, at++) {
      if (at >> 3 >= data.length) throw new Error("no end code");
      code += (((data[at >> 3] as number) >> (at & 7)) & 1) * 2 ** bit;
    }
    if (code === 2 ** least) {
      table = Array.from({ length: 2 ** least + 2 }, (_, n) => [n]);
      length = least + 1;
      before = null;
      continue;
    }
    if (code === 2 ** least + 1) {
      expect(data.length).toBe(Math.ceil(at / 8));
      return made;
    }
    if (code > table.length || (code === table.length && !before)) throw new Error(`code ${code} of ${table.length}`);
    const string: number[] = table[code] ?? [...(before as number[]), (before as number[])[0] as number];
    if (before && table.length < 4096) table.push([...before, string[0] as number]);
    if (table.length === 2 ** length && length < 12) length++;
    made.push(...string);
    before = string;
  }
}

interface Read {
  size: [number, number];
  loops: boolean;
  frames: { delay: number; pixels: number[] }[];
}

function read(file: Uint8Array): Read {
  let at = 0;
  const take = (count: number) => [...file.subarray(at, (at += count))];
  const byte = () => take(1)[0] as number;
  const word = () => byte() + 256 * byte();
  const chain = () => {
    const data: number[] = [];
    for (let count = byte(); count > 0; count = byte()) data.push(...take(count));
    return data;
  };
  expect(String.fromCharCode(...take(6))).toBe("GIF89a");
  const made: Read = { size: [word(), word()], loops: false, frames: [] };
  expect(byte() & 0x80).toBe(0);
  take(2);
  let delay = 0;
  for (let kind = byte(); kind !== 0x3b; kind = byte()) {
    if (kind === 0x21) {
      const label = byte();
      const data = chain();
      if (label === 0xf9) delay = (data[1] as number) + 256 * (data[2] as number);
      else if (label === 0xff) made.loops = String.fromCharCode(...data) === "NETSCAPE2.0\x01\x00\x00";
      else throw new Error(`extension ${label}`);
      continue;
    }
    expect(kind).toBe(0x2c);
    expect([word(), word(), word(), word()]).toEqual([0, 0, ...made.size]);
    const packed = byte();
    const table = take(3 * 2 ** ((packed & 7) + 1));
    const least = byte();
    const indices = unpacked(chain(), least);
    made.frames.push({ delay, pixels: indices.flatMap((n) => table.slice(3 * n, 3 * n + 3)) });
  }
  expect(at).toBe(file.length);
  return made;
}

/** Numbers that look thrown, the same each time. */
function thrown(count: number, below: number): number[] {
  let state = 7;
  return Array.from({ length: count }, () => (state = (state * 1103515245 + 12345) % 2 ** 31) >> 8).map((n) => n % below);
}

const rgba = (colours: number[]) => Uint8ClampedArray.from(colours.flatMap((n) => [n >> 16, (n >> 8) & 255, n & 255, 255]));
const rgb = (colours: number[]) => colours.flatMap((n) => [n >> 16, (n >> 8) & 255, n & 255]);

describe("known bytes", () => {
  it("one pixel", () => {
    const frame = frameOf({ width: 1, height: 1, pixels: rgba([0x336699]) }, 70);
    const bytes = [0x21, 0xf9, 4, 4, 70, 0, 0, 0, 0x2c, 0, 0, 0, 0, 1, 0, 1, 0, 0x80, 0x33, 0x66, 0x99, 0, 0, 0, 2, 2, 0x44, 0x01, 0];
    expect([...frame]).toEqual(bytes);
  });

  it("the much told sample of ten by ten pixels in four colours", () => {
    const line = (text: string, times: number) => Array.from({ length: times }, () => [...text].map(Number)).flat();
    const indices = [...line("1111122222", 3), ...line("1110000222", 2), ...line("2220000111", 2), ...line("2222211111", 3)];
    const hex = "8c2d99872a1cdc33a00275ec95faa8de608c04914c01";
    expect(Buffer.from(compressed(Uint8Array.from(indices), 2)).toString("hex")).toBe(hex);
  });
});

describe("what is written is read", () => {
  it.each([
    [1, 2],
    [2, 4],
    [500, 2],
    [3000, 2],
    [40_000, 3],
    [40_000, 17],
    [40_000, 256],
  ])("%i pixels of %i colours, through every length of code", (count, colours) => {
    const pixels = thrown(count, colours).map((n) => n * 0x010001);
    const file = Buffer.concat([opening(count, 1), frameOf({ width: count, height: 1, pixels: rgba(pixels) }, 70), closing()]);
    const made = read(file);
    expect(made.frames).toHaveLength(1);
    expect(made.frames[0]?.pixels).toEqual(rgb(pixels));
  });

  it("any count of pixels ends well, at each length of code", () => {
    for (let count = 1; count < 700; count++) {
      const indices = thrown(count, 4);
      expect(unpacked([...compressed(Uint8Array.from(indices), 2)], 2)).toEqual(indices);
    }
  });

  it("several frames, each with its time and its own colours, again and again", () => {
    const frames = [1, 2, 3].map((n) => thrown(12, 200).map((value) => value * 0x10000 * n));
    const file = Buffer.concat([opening(4, 3), ...frames.map((pixels) => frameOf({ width: 4, height: 3, pixels: rgba(pixels.map((one) => one % 2 ** 24)) }, 70)), closing()]);
    const made = read(file);
    expect(made.size).toEqual([4, 3]);
    expect(made.loops).toBe(true);
    expect(made.frames.map(({ delay }) => delay)).toEqual([70, 70, 70]);
    expect(made.frames.map(({ pixels }) => pixels)).toEqual(frames.map((pixels) => rgb(pixels.map((one) => one % 2 ** 24))));
  });
});

it("beyond 256 colours the rare ones become the nearest of the frequent", () => {
  const frequent = Array.from({ length: 256 }, (_, n) => n * 0x10000);
  const { colours, indices } = indexed(rgba([...frequent, ...frequent, 0x640001, 0xff0203]));
  expect([...colours].sort((one, other) => one - other)).toEqual(frequent);
  expect([...indices.slice(-2)].map((n) => colours[n])).toEqual([0x640000, 0xff0000]);
});
