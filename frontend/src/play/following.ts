/** Numbers typed by hand go where their block goes when a line is written anew. */
import { written, type Block } from "./blocks";
import type { Edit } from "./weights";

/** The edits of the blocks `before`, at the places of the same blocks in `after`; where a block is gone, its numbers are. */
export function followed(edits: readonly Edit[], before: readonly Block[], after: readonly Block[]): readonly Edit[] {
  if (!edits.length) return edits;
  const places = placesIn(before, after);
  return edits.flatMap((edit) => {
    const block = places.get(edit.block);
    return block === undefined ? [] : [{ ...edit, block }];
  });
}

/** The longest common subsequence: as many blocks as can be that stayed as they were, then as many of the same kind. */
function placesIn(before: readonly Block[], after: readonly Block[]): Map<number, number> {
  const same = Math.min(before.length, after.length) + 1; // one block that stayed outweighs all of the same kind
  const likeness = (n: number, m: number): number => {
    const [one, other] = [before[n] as Block, after[m] as Block];
    return one.kind !== other.kind ? 0 : written(one) === written(other) ? same : 1;
  };
  const best = Array.from({ length: before.length + 1 }, () => new Array<number>(after.length + 1).fill(0));
  const at = (n: number, m: number) => best[n]?.[m] as number;
  for (let n = before.length - 1; n >= 0; n--) {
    for (let m = after.length - 1; m >= 0; m--) {
      const alike = likeness(n, m);
      (best[n] as number[])[m] = Math.max(at(n + 1, m), at(n, m + 1), alike && alike + at(n + 1, m + 1));
    }
  }
  const places = new Map<number, number>();
  for (let n = 0, m = 0; n < before.length && m < after.length; ) {
    const alike = likeness(n, m);
    if (alike && at(n, m) === alike + at(n + 1, m + 1)) places.set(n++, m++);
    else if (at(n, m) === at(n + 1, m)) n++;
    else m++;
  }
  return places;
}
