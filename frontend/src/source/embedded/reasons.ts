/** Why something in a file isn't exact, or isn't there, in the person's language. */
import { t } from "../../words";
import { translated, type Patterns } from "../../words/patterns";
import type { Reason } from "./reason";

/** What `convlens.hosts.report.telling` says of a layer's values. */
const SAID: Patterns = [
  [/^This file carries the maps in float16$/, "why.reduced.half"],
  [/^This file carries the maps in float16, at 1\/(\d+) of their resolution$/, "why.reduced.small"],
  [/^Worked out by the page; the framework's own values differ by at most (\S+) \(all (\S+) were compared\)$/, "why.reduced.near"],
  [/^Worked out by the page from maps that this file carries with less precision$/, "why.reduced.fromReduced"],
];

export function inWords(reason: Reason): string {
  if ("read" in reason) return t("file.read", { layer: reason.read, why: told(reason.says) });
  if ("says" in reason) return told(reason.says);
  if ("unlike" in reason) return t("file.unlike", { layer: reason.unlike });
  if ("missing" in reason) return t("file.missing", { layer: reason.missing });
  if ("damaged" in reason) return t("file.damagedPart", { part: reason.damaged });
  if ("left" in reason) return t("file.leftOut", { layer: reason.left });
  return t(reason.coding === "q8" ? "file.weights8" : "file.weights16", { layer: reason.weights });
}

/** All reasons, each once; null where there is none. */
export function allInWords(reasons: Reason[]): string | null {
  const each = [...new Set(reasons.map(inWords))];
  return each.length === 0 ? null : each.reduce((before, more) => t("file.also", { before, more }));
}

/** The one number of these sentences that may be tiny has a sign in its exponent. */
function told(words: string): string {
  return translated(words.replace(/(\de)-/, "$1−"), SAID);
}
