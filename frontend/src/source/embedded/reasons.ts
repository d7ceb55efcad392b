/** Why something in a file isn't exact, or isn't there, in the person's language. */
import { t, type Key } from "../../words";
import type { Reason } from "./keeper";

/** What `convlens.hosts.report.telling` says of a layer's values. */
const SAID: [RegExp, Key][] = [
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
  if ("left" in reason) return t("file.leftOut", { layer: reason.left });
  return t(reason.coding === "q8" ? "file.weights8" : "file.weights16", { layer: reason.weights });
}

/** All reasons, each once; null where there is none. */
export function allInWords(reasons: Reason[]): string | null {
  const each = [...new Set(reasons.map(inWords))];
  return each.length === 0 ? null : each.reduce((before, more) => t("file.also", { before, more }));
}

function told(words: string): string {
  for (const [pattern, key] of SAID) {
    const match = pattern.exec(words);
    if (match) return t(key, { a: (match[1] ?? "").replaceAll("-", "−"), b: match[2] ?? "" });
  }
  return words;
}
