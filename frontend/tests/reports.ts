/** Reports made for the tests, as the file's format says: pieces of text, and contents that point to them. */
import { deflateSync } from "node:zlib";
import type { ArrayFact } from "../src/source/embedded/contents";

/** First bytes of all values, then second bytes, and so on. */
export function inPlanes(values: Float32Array | Uint16Array | Int32Array): Uint8Array {
  const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
  const width = values.BYTES_PER_ELEMENT;
  return Uint8Array.from(bytes, (_, n) => bytes[(n % values.length) * width + Math.floor(n / values.length)] as number);
}

/** A PNG picture whose lines take these filters in turn. */
export function png(pixels: number[], rows: number, columns: number, channels: number, filters: number[]): Uint8Array {
  const width = columns * channels;
  const at = (row: number, n: number) => (row < 0 || n < 0 ? 0 : (pixels[row * width + n] as number));
  const lines: number[] = [];
  for (let row = 0; row < rows; row++) {
    const filter = filters[row % filters.length] as number;
    lines.push(filter);
    for (let n = 0; n < width; n++) {
      const [a, b, c] = [at(row, n - channels), at(row - 1, n), at(row - 1, n - channels)];
      const left = n < channels ? 0 : a;
      const corner = n < channels ? 0 : c;
      const p = left + b - corner;
      const [pa, pb, pc] = [Math.abs(p - left), Math.abs(p - b), Math.abs(p - corner)];
      const foretold = [0, left, b, Math.floor((left + b) / 2), pa <= pb && pa <= pc ? left : pb <= pc ? b : corner][filter] as number;
      lines.push((at(row, n) - foretold) & 255);
    }
  }
  const head = Buffer.alloc(13);
  head.writeUInt32BE(columns, 0);
  head.writeUInt32BE(rows, 4);
  head.set([8, { 1: 0, 3: 2, 4: 6 }[channels] as number, 0, 0, 0], 8);
  const packed = deflateSync(Buffer.from(lines));
  const half = packed.length >> 1; // a picture may lie in several pieces
  const chunks = [chunk("IHDR", head), chunk("IDAT", packed.subarray(0, half)), chunk("IDAT", packed.subarray(half)), chunk("IEND", Buffer.alloc(0))];
  return Buffer.concat([Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]), ...chunks]);
}

function chunk(name: string, data: Buffer): Buffer {
  const size = Buffer.alloc(4);
  size.writeUInt32BE(data.length);
  return Buffer.concat([size, Buffer.from(name, "latin1"), data, Buffer.alloc(4)]);
}

/** The blobs of a file that is being made. */
export class Pieces {
  readonly texts: string[] = [];

  plain(bytes: Uint8Array): number {
    return this.texts.push(Buffer.from(bytes).toString("base64")) - 1;
  }

  json(value: unknown): number {
    return this.plain(deflateSync(Buffer.from(JSON.stringify(value))));
  }

  floats(values: Float32Array, shape: number[]): ArrayFact {
    return { coding: "f32", shape, blob: this.plain(deflateSync(inPlanes(values))), exact: true };
  }

  integers(values: Int32Array, shape: number[]): ArrayFact {
    return { coding: "i32", shape, blob: this.plain(deflateSync(inPlanes(values))), exact: true };
  }
}
