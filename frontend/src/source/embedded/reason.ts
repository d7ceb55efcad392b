/** Why the page can't show something of a file, or not exactly. */
import type { ArrayFact } from "./contents";

/** Why something isn't exact, or isn't there: in the file's own words, or to be put in the page's. */
export type Reason =
  | { says: string }
  | { unlike: string }
  | { missing: string }
  | { left: string }
  /** The number of a blob that isn't what was written. */
  | { damaged: number }
  | { weights: string; coding: ArrayFact["coding"] }
  /** What is told of a layer that is read. */
  | { read: string; says: string };

/** Something isn't in the file. */
export class NotHeld extends Error {
  constructor(readonly reason: Reason) {
    super(JSON.stringify(reason));
  }
}
