/** Animated GIFs, as the GIF89a specification writes them: frames with colours of their own, packed by LZW, shown without end. */

export interface Frame {
  readonly width: number;
  readonly height: number;
  /** Row by row, four bytes a pixel: red, green, blue, and one that is passed over. */
  readonly pixels: Uint8ClampedArray;
}

const MOST_COLOURS = 256;
const LONGEST_CODE = 12;

const word = (value: number) => [value & 255, (value >> 8) & 255];
const ascii = (text: string) => [...text].map((letter) => letter.charCodeAt(0));

/** What stands before the first frame: the size, and that the frames are shown again and again. */
export function opening(width: number, height: number): Uint8Array<ArrayBuffer> {
  const noSharedColours = [0x70, 0, 0];
  return Uint8Array.from([...ascii("GIF89a"), ...word(width), ...word(height), ...noSharedColours, 0x21, 0xff, 11, ...ascii("NETSCAPE2.0"), 3, 1, 0, 0, 0]);
}

/** What stands after the last frame. */
export function closing(): Uint8Array<ArrayBuffer> {
  return Uint8Array.of(0x3b);
}

/** One frame, shown for so many hundredths of a second. */
export function frameOf({ width, height, pixels }: Frame, hundredths: number): Uint8Array<ArrayBuffer> {
  const { colours, indices } = indexed(pixels);
  const bits = Math.max(Math.ceil(Math.log2(colours.length)), 1);
  const table = new Uint8Array(3 * 2 ** bits);
  colours.forEach((colour, n) => table.set([colour >> 16, (colour >> 8) & 255, colour & 255], 3 * n));
  const control = [0x21, 0xf9, 4, 0x04, ...word(hundredths), 0, 0]; // 4: the frame stays until the next covers it
  const place = [0x2c, 0, 0, 0, 0, ...word(width), ...word(height), 0x80 | (bits - 1)];
  const least = Math.max(bits, 2);
  return joined([Uint8Array.from([...control, ...place]), table, Uint8Array.of(least), blocks(compressed(indices, least)), Uint8Array.of(0)]);
}

/** The colours, the most frequent first, and which each pixel has; beyond 256 the rare ones give way to the nearest. */
export function indexed(pixels: Uint8ClampedArray): { colours: number[]; indices: Uint8Array } {
  const at = (n: number) => ((pixels[4 * n] as number) << 16) | ((pixels[4 * n + 1] as number) << 8) | (pixels[4 * n + 2] as number);
  const counts = new Map<number, number>();
  const count = pixels.length / 4;
  for (let n = 0; n < count; n++) counts.set(at(n), (counts.get(at(n)) ?? 0) + 1);
  const all = [...counts.keys()].sort((one, other) => (counts.get(other) as number) - (counts.get(one) as number));
  const colours = all.slice(0, MOST_COLOURS);
  const places = new Map(all.map((colour, n) => [colour, n < MOST_COLOURS ? n : nearest(colour, colours)]));
  const indices = new Uint8Array(count);
  for (let n = 0; n < count; n++) indices[n] = places.get(at(n)) as number;
  return { colours, indices };
}

function nearest(colour: number, colours: readonly number[]): number {
  let [best, least] = [0, Infinity];
  colours.forEach((other, n) => {
    const apart = [16, 8, 0].reduce((sum, shift) => sum + (((colour >> shift) & 255) - ((other >> shift) & 255)) ** 2, 0);
    if (apart < least) [best, least] = [n, apart];
  });
  return best;
}

/** LZW with codes of growing length; `least` is the length in bits that an index alone would need. */
export function compressed(indices: Uint8Array, least: number): Uint8Array<ArrayBuffer> {
  const [clear, end] = [2 ** least, 2 ** least + 1];
  const known = new Uint16Array(256 * 2 ** LONGEST_CODE); // the code of a string: its own beginning's code and its last index
  const bytes: number[] = [];
  let [held, holds, length, next] = [0, 0, least + 1, end + 1];
  const put = (code: number) => {
    held |= code << holds;
    for (holds += length; holds >= 8; holds -= 8, held >>>= 8) bytes.push(held & 255);
  };
  put(clear);
  let prefix = indices[0];
  for (let n = 1; n < indices.length && prefix !== undefined; n++) {
    const index = indices[n] as number;
    const key = prefix * 256 + index;
    const longer: number = known[key] as number;
    if (longer > 0) {
      prefix = longer;
      continue;
    }
    put(prefix);
    if (next === 2 ** LONGEST_CODE) {
      put(clear);
      known.fill(0);
      [length, next] = [least + 1, end + 1];
    } else {
      if (next >= 2 ** length) length++;
      known[key] = next++;
    }
    prefix = index;
  }
  if (prefix !== undefined) put(prefix);
  // A reader has learned one string more by now, and may already read a longer code.
  if (next === 2 ** length && length < LONGEST_CODE) length++;
  put(end);
  if (holds > 0) bytes.push(held & 255);
  return Uint8Array.from(bytes);
}

/** Data in blocks of at most 255 bytes, each after its length. */
function blocks(data: Uint8Array): Uint8Array<ArrayBuffer> {
  const parts: Uint8Array[] = [];
  for (let from = 0; from < data.length; from += 255) {
    const part = data.subarray(from, from + 255);
    parts.push(Uint8Array.of(part.length), part);
  }
  return joined(parts);
}

function joined(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}
