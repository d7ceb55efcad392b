/** The words of an explanation: places, steps, the verdict, and the whole as text to copy. */
import type { ExplanationFact, GroupFact, Num } from "../../source/facts";
import { t, type Key } from "../../words";
import { count, full, real, short } from "../numbers";
import { ledgerOf, type Line } from "./ledger";

/** An index as a reader says it: `channel 0, row 10, column 20`. */
export function placeInWords(index: readonly number[]): string {
  const [a = 0, b = 0, c = 0] = index;
  if (index.length === 1) return t("why.atFeature", { channel: a });
  if (index.length === 2) return t("why.atPosition", { channel: a, position: b });
  if (index.length === 3) return t("why.atPixel", { channel: a, row: b, column: c });
  return t("why.atIndex", { index: index.join(", ") });
}

/** The same, as short as it goes: `ch 3 (10, 20)`. */
export function placeShort(index: readonly number[]): string {
  const [channel = 0, ...rest] = index;
  const number = t("why.ch", { channel });
  return rest.length === 0 ? number : `${number} (${rest.join(", ")})`;
}

/** Whether the framework's value, or what it is worked out from, is known only nearly: then no verdict is given. */
export function isNear(fact: ExplanationFact): boolean {
  return !!fact.near || (fact.explained && !!fact.reduced);
}

export function verdictInWords(fact: ExplanationFact): string {
  const { near = null, reduced = null } = fact;
  const both = near && reduced && near !== reduced ? t("file.also", { before: near, more: reduced }) : (near ?? reduced);
  const approximate = near || fact.explained ? both && t("why.approximate", { why: both }) : reduced;
  if (!fact.explained) {
    const unknown = reduced ? null : t("why.unexplained", { op: fact.op });
    return approximate && unknown ? t("why.also", { before: approximate, more: unknown }) : (approximate ?? unknown ?? "");
  }
  if (approximate) return approximate;
  if (!fact.agrees) return t("why.disagreesLong");
  if (Number.isFinite(real(fact.framework_value))) return t(fact.residual === 0 ? "why.agreesExactly" : "why.agreesLong");
  return Number.isFinite(real(fact.total)) ? t("why.agreesTooLarge") : t("why.agreesSame");
}

/** What the value that the terms are compared with is called: only the framework's own bits are what it says. */
export function valueInWords(fact: ExplanationFact): string {
  if (!fact.near) return t("why.line.framework");
  return fact.means ? t("why.line.means", { size: fact.means }) : t("why.line.near");
}

/** The result in one sentence, for those who hear it. */
export function resultInWords(fact: ExplanationFact): string {
  const place = placeInWords(fact.index);
  const value = `${fact.near ? "≈ " : ""}${short(fact.framework_value, 6)}`;
  if (!fact.explained) return `${fact.layer}, ${place}: ${value}. ${verdictInWords(fact)}`;
  const total = `${fact.reduced ? "≈ " : ""}${short(fact.total, 6)}`;
  const words = { layer: fact.layer, place, total, verdict: verdictInWords(fact) };
  return fact.near ? t("why.resultNear", { ...words, name: valueInWords(fact), value }) : t("why.result", { ...words, framework: value });
}

const STEPS: [RegExp, Key][] = [
  [/^sum of window x kernel$/, "why.step.windowKernel"],
  [/^sum of input x weight$/, "why.step.inputWeight"],
  [/^sum of row x column$/, "why.step.rowColumn"],
  [/^sum of window x kernel, in whole numbers$/, "why.step.wholeNumbers"],
  [/^sum of source pixels x weights$/, "why.step.pixels"],
  [/^sum of window$/, "why.step.window"],
  [/^\+ bias$/, "why.step.bias"],
  [/^the largest value$/, "why.step.largest"],
  [/^the smallest value$/, "why.step.smallest"],
  [/^the largest value, (\d+) times$/, "why.step.largestTimes"],
  [/^the smallest value, (\d+) times$/, "why.step.smallestTimes"],
  [/^x - mean \((.+)\)$/, "why.step.mean"],
  [/^x scale \((.+)\)$/, "why.step.scale"],
  [/^\+ shift \((.+)\)$/, "why.step.shift"],
  [/^exp\(x - largest \((.+)\)\)$/, "why.step.exp"],
  [/^\/ sum of all (\d+) exponentials \((.+)\)$/, "why.step.share"],
  [/^rounded to the nearest whole number, halves to the even one$/, "why.step.rounded"],
];

function known(table: [RegExp, Key][], words: string): string | null {
  for (const [pattern, key] of table) {
    const match = pattern.exec(words);
    if (match) return t(key, { a: minus(match[1] ?? ""), b: minus(match[2] ?? "") });
  }
  return null;
}

/** A step in the person's language where its words are known ones; formulas stay as they are. */
export function stepInWords(words: string): string {
  return known(STEPS, words) ?? words.replace(/ x /g, " × ").replace(/^x /, "× ").replace(/^- /, "− ");
}

/** Numbers in words from Python, with a minus of their own. */
function minus(number: string): string {
  return number.replaceAll("-", "−");
}

/** The channel of its layer that a group's values stand in: not the window's own count where convolutions are grouped. */
export function channelOf(group: GroupFact): number {
  return group.origins.find((origin) => origin !== null)?.[0] ?? group.channel;
}

/** What a line of the ledger is called. */
export function lineInWords(line: Line, fact: ExplanationFact): string {
  if (line.kind === "group") {
    const group = fact.groups[line.number];
    return group ? t("why.channel", { channel: channelOf(group) }) : "";
  }
  if (line.kind === "rest") return t(fact.groups.length > 0 ? "why.restChannels" : "why.restTerms", { count: count(line.number) });
  if (line.kind === "term") {
    const term = fact.terms[line.number];
    return term ? `${term.layer} ${placeShort(term.index)}` : "";
  }
  if (line.kind === "step") return stepInWords(line.words);
  if (line.kind === "framework") return valueInWords(fact);
  return t(`why.line.${line.kind}`);
}

/** The whole explanation as plain text. */
export function asText(fact: ExplanationFact): string {
  const lines = [`${fact.layer}: ${placeInWords(fact.index)}   (${fact.op})`];
  if (fact.formula) lines.push(fact.formula);
  const columns = fact.group_shape[fact.group_shape.length - 1] ?? 1;
  for (const group of fact.groups) {
    lines.push("", fact.groups_total > 1 ? t("why.channel", { channel: channelOf(group) }) : group.source);
    const grid = (title: string, values: Num[] | null) => {
      if (values === null) return;
      lines.push(title);
      const cells = values.map((value) => full(value));
      const width = Math.max(...cells.map((cell) => cell.length));
      for (let n = 0; n < cells.length; n += columns) {
        lines.push(`  ${cells.slice(n, n + columns).map((cell) => cell.padStart(width)).join("  ")}`);
      }
    };
    grid(t("why.window"), group.window);
    grid(t("why.kernel"), group.kernel);
    grid(t("why.products"), group.products);
  }
  if (fact.groups.length === 0 && fact.terms.length > 0) {
    lines.push("");
    for (const term of fact.terms) {
      const weight = term.weight === null ? "" : ` × ${full(term.weight)}`;
      const made = term.contribution === null ? "" : ` = ${full(term.contribution)}`;
      lines.push(`${term.layer} ${placeInWords(term.index)}: ${full(term.value)}${weight}${made}`);
    }
  }
  const rows = ledgerOf(fact).lines.map((line) => [lineInWords(line, fact), line.text] as const);
  const width = Math.max(...rows.map(([name]) => name.length));
  const most = Math.max(...rows.map(([, text]) => text.length));
  lines.push("", ...rows.map(([name, text]) => `${name.padEnd(width)}  ${text.padStart(most)}`));
  lines.push("", verdictInWords(fact));
  return lines.join("\n");
}
