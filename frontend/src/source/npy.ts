/**
 * Reads `.npy`: a NumPy array of float32 or float16 with its shape.
 *
 * The format: https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
 */
const MAGIC = [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59]; // "\x93NUMPY"

export interface Npy {
  data: Float32Array;
  shape: number[];
  /** Bytes a value in the file: 4, or 2 where the values were rounded to float16. */
  bytes: 2 | 4;
}

export function parseNpy(buffer: ArrayBuffer): Npy {
  const head = new Uint8Array(buffer, 0, Math.min(12, buffer.byteLength));
  if (head.length < 12 || MAGIC.some((byte, n) => head[n] !== byte)) throw new Error("This is no .npy file");
  const view = new DataView(buffer);
  const later = (head[6] ?? 1) > 1; // version 1 counts its header in 2 bytes, the later ones in 4
  const start = later ? 12 : 10;
  const first = start + (later ? view.getUint32(8, true) : view.getUint16(8, true));
  if (first > buffer.byteLength) throw new Error("This .npy file ends within its header");
  const header = new TextDecoder().decode(new Uint8Array(buffer, start, first - start));
  const type = /'descr':\s*'([^']*)'/.exec(header)?.[1];
  const sizes = /'shape':\s*\(([^)]*)\)/.exec(header)?.[1];
  if ((type !== "<f4" && type !== "<f2") || sizes === undefined || !/'fortran_order':\s*False/.test(header)) {
    throw new Error(`Only rows of float32 and float16 are read here, not ${header.trim()}`);
  }
  const shape = sizes.split(",").filter((size) => size.trim()).map(Number);
  const count = shape.reduce((product, size) => product * size, 1);
  const bytes = type === "<f4" ? 4 : 2;
  if (buffer.byteLength - first !== count * bytes) throw new Error("This .npy file doesn't hold what its shape says");
  const aligned = first % bytes === 0 ? buffer : buffer.slice(first);
  const offset = aligned === buffer ? first : 0;
  const data =
    bytes === 4 ? new Float32Array(aligned, offset, count) : widened(new Uint16Array(aligned, offset, count));
  return { data, shape, bytes };
}

let table: Float32Array | null = null;

/** float16 as float32, which holds every one of its values; by a table of all 65,536, made once. */
export function widened(halves: Uint16Array): Float32Array {
  const known = (table ??= Float32Array.from({ length: 1 << 16 }, (_, half) => wide(half)));
  const data = new Float32Array(halves.length);
  for (let n = 0; n < halves.length; n++) data[n] = known[halves[n] as number] as number;
  return data;
}

/** One half-precision number: IEEE 754-2019, binary16. */
function wide(half: number): number {
  const sign = half & 0x8000 ? -1 : 1;
  const exponent = (half >> 10) & 0x1f;
  const fraction = half & 0x3ff;
  if (exponent === 0x1f) return fraction ? NaN : sign * Infinity;
  return exponent === 0 ? sign * fraction * 2 ** -24 : sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}
