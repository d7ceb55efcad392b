/** In which order the channels stand, and what is odd about one. */
import type { ChannelsFact, MapFact } from "../../source/facts";
import type { Sort } from "../../state/address";

/** Channel numbers, the largest first; those without a finite value last, equals by number. */
export function ordered(count: number, sort: Sort, facts: ChannelsFact | null): number[] {
  const channels = Array.from({ length: count }, (_, channel) => channel);
  if (sort === "number" || !facts) return channels;
  const by = { mean: facts.mean, maximum: facts.maximum, variance: facts.variance, sparsity: facts.zeros }[sort];
  const rank = (channel: number) => by[channel] ?? -Infinity;
  return channels.sort((a, b) => (rank(a) === rank(b) ? a - b : rank(b) - rank(a)));
}

export type Sign = "nan" | "infinite" | "dead" | "constant";

/** What a reader has to know before trusting the colours of a channel; the gravest first. */
export function signsOf(facts: ChannelsFact | null, channel: number, map: MapFact): Sign[] {
  if (!facts) return [];
  const signs: Sign[] = [];
  if (facts.nan[channel]) signs.push("nan");
  if (facts.infinite[channel]) signs.push("infinite");
  if (map.rows * map.columns * map.slices > 1) {
    if (facts.zeros[channel] === 1) signs.push("dead");
    else if (facts.constant[channel]) signs.push("constant");
  }
  return signs;
}
