/** CRC-32 (ISO-HDLC, as zlib has it) of a layer's values: says whether they are the framework's own, to the last bit. */

/** Four tables, so that four bytes go at a time ("slicing by four"). */
const TABLES = tables();

function tables(): Uint32Array[] {
  const first = new Uint32Array(256);
  for (let n = 0; n < 256; n++) {
    let value = n;
    for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1;
    first[n] = value >>> 0;
  }
  const found = [first];
  for (let k = 1; k < 4; k++) {
    const before = found[k - 1] as Uint32Array;
    found.push(Uint32Array.from(before, (value) => ((value >>> 8) ^ (first[value & 0xff] as number)) >>> 0));
  }
  return found;
}

const NAN = 0x7fc00000;
const INFINITE = 0x7f800000;

/** Of bytes as they are. */
export function crcOfBytes(bytes: Uint8Array): number {
  const [a] = TABLES as [Uint32Array];
  let crc = 0xffffffff;
  for (let n = 0; n < bytes.length; n++) crc = (crc >>> 8) ^ (a[(crc ^ (bytes[n] as number)) & 0xff] as number);
  return (crc ^ 0xffffffff) >>> 0;
}

/** Of float32 values, little-endian; -0 counts as 0, and every NaN as the same one: which bits it has, a browser may change. */
export function crcOf(values: Float32Array): number {
  const [a, b, c, d] = TABLES as [Uint32Array, Uint32Array, Uint32Array, Uint32Array];
  const words = new Uint32Array(values.buffer, values.byteOffset, values.length);
  let crc = 0xffffffff;
  for (let n = 0; n < words.length; n++) {
    const word = words[n] as number;
    crc ^= word === 0x80000000 ? 0 : (word & 0x7fffffff) > INFINITE ? NAN : word;
    crc =
      (d[crc & 0xff] as number) ^ (c[(crc >>> 8) & 0xff] as number) ^ (b[(crc >>> 16) & 0xff] as number) ^ (a[crc >>> 24] as number);
  }
  return (crc ^ 0xffffffff) >>> 0;
}
