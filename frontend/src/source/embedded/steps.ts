/** Corrections of a float32 by whole steps: from one number that it can hold to the next. */

/** Adds to the number of each value what `off` says, zig-zag: 0, 1, 2, 3, ... are 0, -1, 1, -2, ... */
export function corrected(values: Float32Array, off: Int32Array): Float32Array {
  if (off.length !== values.length) throw new Error("A layer and its corrections differ in size");
  const found = values.slice();
  const bits = new Int32Array(found.buffer);
  for (let n = 0; n < off.length; n++) {
    const coded = off[n] as number;
    if (coded === 0) continue;
    const before = bits[n] as number;
    const number = (before < 0 ? -(before & 0x7fffffff) : before) + (coded & 1 ? -((coded + 1) / 2) : coded / 2);
    bits[n] = number < 0 ? -number | 0x80000000 : number;
  }
  return found;
}
