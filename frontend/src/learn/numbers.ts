/** A person's own numbers: grids that are large enough for every size, of which a lesson shows the beginning. */
import { keyed } from "../panels/numbers";

/** Cells of a bank along each axis; a smaller grid is its upper left corner, so that numbers stay when sizes change. */
export const SIDE = 12;

export type Bank = number[];

/** A bank that begins with these rows and goes on with more of their kind. */
export function bankOf(rows: readonly (readonly number[])[], seed: number, least: number, most: number): Bank {
  const drawn = drawnFrom(seed);
  return Array.from({ length: SIDE * SIDE }, (_, n) => {
    const fresh = between(drawn, least, most);
    return rows[Math.floor(n / SIDE)]?.[n % SIDE] ?? fresh;
  });
}

/** The upper left corner of a bank, row by row. */
export function corner(bank: Bank, rows: number, columns: number): number[] {
  return Array.from({ length: rows * columns }, (_, n) => bank[Math.floor(n / columns) * SIDE + (n % columns)] ?? 0);
}

/** Where in its bank a cell of a grid stands. */
export function placeIn(row: number, column: number): number {
  return row * SIDE + column;
}

/** A bank of whole numbers, from a seed. */
export function drawn(seed: number, least: number, most: number): Bank {
  return bankOf([], seed, least, most);
}

/** The size of a typed number at most: longer ones fit no cell. */
export const LIMIT = 1_000_000;

/** What was typed as a number, with a comma or a point and either minus; `null` where it is none. */
export function typed(text: string): number | null {
  const plain = keyed(text);
  if (!/^-?(\d+\.?\d*|\.\d+)$/.test(plain)) return null;
  const value = Number(plain);
  return Math.abs(value) <= LIMIT ? value : null;
}

/** Without the last digits that binary fractions leave: −2.7, not −2.6999999999999997. */
export function plain(value: number): number {
  return Number(value.toPrecision(12));
}

function between(next: () => number, least: number, most: number): number {
  return least + Math.floor(next() * (most - least + 1));
}

/** Mulberry32: the same numbers for the same seed, everywhere. */
function drawnFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
