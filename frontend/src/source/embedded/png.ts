/**
 * Reads PNG pictures of 8 bits a channel, grey, RGB or RGBA, not interlaced: what a report writes.
 *
 * Not left to a canvas: colour management and protection against fingerprinting both change what comes back from one.
 * The format: https://www.w3.org/TR/png-3/
 */
import { inflated } from "./blobs";

const SIGNATURE = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];
const CHANNELS: Record<number, number> = { 0: 1, 2: 3, 4: 2, 6: 4 };

export interface Pixels {
  rows: number;
  columns: number;
  channels: number;
  /** Row by row, pixel by pixel, channel by channel. */
  data: Uint8Array;
}

export async function readPng(bytes: Uint8Array): Promise<Pixels> {
  if (SIGNATURE.some((byte, n) => bytes[n] !== byte)) throw new Error("This is no PNG picture");
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const parts: Uint8Array[] = [];
  let head: { columns: number; rows: number; channels: number } | null = null;
  for (let at = 8; at + 12 <= bytes.length; ) {
    const size = view.getUint32(at);
    const name = String.fromCharCode(...bytes.subarray(at + 4, at + 8));
    if (name === "IHDR") head = headOf(view, at + 8);
    if (name === "IDAT") parts.push(bytes.subarray(at + 8, at + 8 + size));
    if (name === "IEND") break;
    at += 12 + size;
  }
  if (!head) throw new Error("This PNG picture doesn't say its size");
  const packed = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let filled = 0;
  for (const part of parts) {
    packed.set(part, filled);
    filled += part.length;
  }
  const lines = await inflated(packed);
  if (lines.length !== head.rows * (1 + head.columns * head.channels)) throw new Error("This PNG picture breaks off");
  return { ...head, data: unfiltered(lines, head.rows, head.columns * head.channels, head.channels) };
}

function headOf(view: DataView, at: number): { columns: number; rows: number; channels: number } {
  const channels = CHANNELS[view.getUint8(at + 9)];
  if (view.getUint8(at + 8) !== 8 || channels === undefined || view.getUint8(at + 12) !== 0) {
    throw new Error("Only PNG pictures of 8 bits a channel, grey or RGB, not interlaced, are read here");
  }
  return { columns: view.getUint32(at), rows: view.getUint32(at + 4), channels };
}

/** Every line begins with the number of its filter, which foretells a byte from those left, above and above left. */
function unfiltered(lines: Uint8Array, rows: number, width: number, step: number): Uint8Array {
  const data = new Uint8Array(rows * width);
  for (let row = 0; row < rows; row++) {
    const from = row * (width + 1) + 1;
    const to = row * width;
    const filter = lines[from - 1] as number;
    for (let n = 0; n < width; n++) {
      const left = n < step ? 0 : (data[to + n - step] as number);
      const above = row === 0 ? 0 : (data[to + n - width] as number);
      const corner = row === 0 || n < step ? 0 : (data[to + n - width - step] as number);
      data[to + n] = (lines[from + n] as number) + foretold(filter, left, above, corner);
    }
  }
  return data;
}

function foretold(filter: number, left: number, above: number, corner: number): number {
  if (filter === 0) return 0;
  if (filter === 1) return left;
  if (filter === 2) return above;
  if (filter === 3) return (left + above) >> 1;
  if (filter !== 4) throw new Error(`This PNG picture has a filter ${filter}, which there isn't`);
  const estimate = left + above - corner;
  const toLeft = Math.abs(estimate - left);
  const toAbove = Math.abs(estimate - above);
  const toCorner = Math.abs(estimate - corner);
  if (toLeft <= toAbove && toLeft <= toCorner) return left;
  return toAbove <= toCorner ? above : corner;
}
