/** A sketch in parts, one a layer, and what of it is new beside the sketch before. */

export interface Word {
  text: string;
  isNew: boolean;
}

export interface Part {
  words: Word[];
  /** All of it is new: a layer that the sketch before doesn't have. */
  isNew: boolean;
}

/** The parts of a sketch. Where nothing joins it to the one before, or there is none, nothing is marked as new. */
export function partsOf(sketch: string, before: string | null): Part[] {
  const parts = cut(sketch);
  const others = before === null ? [] : cut(before);
  const pairs = joined(parts, others);
  const marks = pairs.some((pair) => pair !== null);
  return parts.map((words, n) => {
    const other = pairs[n];
    const isNew = marks && !other;
    return { isNew, words: words.map((text, place) => ({ text, isNew: isNew || (marks && other?.[place] !== text) })) };
  });
}

const cut = (sketch: string) => sketch.split("|").map((part) => part.trim().split(/\s+/));

/** For each part the one before that does the same, in order: as many as can be (a longest common subsequence). */
function joined(parts: string[][], others: string[][]): (string[] | null)[] {
  const most = Array.from({ length: parts.length + 1 }, () => new Array<number>(others.length + 1).fill(0));
  const at = (n: number, m: number) => most[n]?.[m] ?? 0;
  const same = (n: number, m: number) => parts[n]?.[0] === others[m]?.[0];
  for (let n = parts.length - 1; n >= 0; n--)
    for (let m = others.length - 1; m >= 0; m--) {
      const row = most[n];
      if (row) row[m] = same(n, m) ? at(n + 1, m + 1) + 1 : Math.max(at(n + 1, m), at(n, m + 1));
    }
  const found: (string[] | null)[] = parts.map(() => null);
  for (let n = 0, m = 0; n < parts.length && m < others.length; ) {
    if (same(n, m)) found[n++] = others[m++] ?? null;
    else if (at(n + 1, m) >= at(n, m + 1)) n++;
    else m++;
  }
  return found;
}
