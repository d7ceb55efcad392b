/** Sentences that Python made, in the person's language: known by their pattern, whose groups are `a`, `b`, `c`, `d`. */
import { t, type Key } from ".";

export type Patterns = readonly (readonly [RegExp, Key])[];

/** One that isn't known stays as it was told. */
export function translated(told: string, known: Patterns): string {
  for (const [pattern, key] of known) {
    const match = pattern.exec(told);
    if (!match) continue;
    const [a = "", b = "", c = "", d = ""] = match.slice(1);
    return t(key, { a, b, c, d });
  }
  return told;
}
