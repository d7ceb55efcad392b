/** Which maps the grid still needs, several to a request: the band's batches from its middle outwards. */
import { painter } from "../../paint/painter";
import type { Pieces, Which } from "../../paint/pieces";
import type { Wish } from "../../paint/queue";
import type { MapFact } from "../../source/facts";

const VALUES = 1 << 18; // a request: large enough that few are needed, small enough that the first pixels come soon
const MAPS = 32;

/** How many maps of a level go into one request, and onto one sheet. */
export function batchOf(map: MapFact, level: number, most: number): number {
  const rows = Math.max(Math.ceil(map.rows / 2 ** level), 1);
  const columns = Math.max(Math.ceil(map.columns / 2 ** level), 1);
  return Math.max(Math.min(Math.floor(VALUES / (rows * columns)), Math.floor(most / rows), MAPS), 1);
}

/** The batches are cut from the whole order at fixed places, so that a scrolled grid wishes for the same ones. */
export function wishesFor(
  pieces: Pieces,
  which: Which,
  map: MapFact,
  order: readonly number[],
  first: number,
  count: number,
  sort: string,
): Wish[] {
  if (count === 0) return [];
  const size = batchOf(map, which.level, painter().most);
  const middle = (first + count / 2) / size - 0.5;
  const batches: number[] = [];
  for (let batch = Math.floor(first / size); batch * size < first + count; batch++) batches.push(batch);
  batches.sort((a, b) => Math.abs(a - middle) - Math.abs(b - middle));
  const wishes: Wish[] = [];
  for (const batch of batches) {
    const missing = order.slice(batch * size, (batch + 1) * size).filter((channel) => !pieces.hasWhole(which, channel));
    if (missing.length === 0) continue;
    wishes.push({
      key: [which.run, which.layer, which.level, which.slice, sort, batch].join(" "),
      load: (signal) => pieces.loadWholes(which, missing, signal),
    });
  }
  return wishes;
}
