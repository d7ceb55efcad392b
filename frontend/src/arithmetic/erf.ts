/** The error function, to a few units in the last place. */

const TERMS = 60; // of the continued fraction, enough from 2 on

/**
 * The error function. Below 2 the series of terms of one sign, which loses nothing to cancellation (DLMF 7.6.2, Abramowitz and
 * Stegun 7.1.6); above, the continued fraction of what is missing from 1 (DLMF 7.9.1).
 */
export function erf(x: number): number {
  if (Number.isNaN(x)) return NaN;
  const size = Math.abs(x);
  if (size >= 6) return Math.sign(x); // what is missing is below the last bit of 1
  return Math.sign(x) * (size < 2 ? series(size) : 1 - complement(size));
}

function series(x: number): number {
  let term = 1;
  let sum = 1;
  for (let n = 1; term > sum * 1e-17; n++) {
    term *= (2 * x * x) / (2 * n + 1);
    sum += term;
  }
  return (2 / Math.sqrt(Math.PI)) * x * gaussian(x) * sum;
}

function complement(x: number): number {
  let rest = 0;
  for (let n = TERMS; n > 0; n--) rest = n / 2 / (x + rest);
  return gaussian(x) / Math.sqrt(Math.PI) / (x + rest);
}

/** exp(-x * x), with what the square loses when it is rounded: its lower part after Dekker's split (1971). */
function gaussian(x: number): number {
  const scaled = 134217729 * x; // 2^27 + 1
  const head = scaled - (scaled - x);
  const tail = x - head;
  const square = x * x;
  const lost = head * head - square + 2 * head * tail + tail * tail;
  return Math.exp(-square) * (1 - lost);
}
