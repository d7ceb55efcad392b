/**
 * The sum of one value, line by line: its parts, their rounding for print, the total, the framework's own value.
 *
 * Each number is printed once, with as many decimals as the largest asks for, so that what stands there adds up.
 */
import type { ExplanationFact } from "../../source/facts";
import { decimalsFor, fixed, real, roundingOf, short, tiny } from "../numbers";

/** Significant digits of the largest number of the ledger. */
const DIGITS = 6;
/** Rules whose terms are added up as they are; a mean or an interpolation is told by its steps. */
const SUMS = /dense|matrix product|^add$|^subtract$/;

export type LineKind = "group" | "term" | "rest" | "bias" | "rounding" | "sum" | "step" | "total" | "framework" | "difference" | "bound";

export interface Line {
  kind: LineKind;
  /** The step's words, where it is a step; else what `kind` says. */
  words: string;
  /** Of a group or term: its number among those listed; of the rest: how many it stands for. */
  number: number;
  value: number;
  text: string;
}

export interface Ledger {
  decimals: number;
  lines: Line[];
}

/** A part of the sum, before it is printed. */
interface Part {
  kind: LineKind;
  number: number;
  value: number;
}

/** The ledger of an explanation; the parts are its channels, or its terms where it has no channels. */
export function ledgerOf(fact: ExplanationFact): Ledger {
  const parts = partsOf(fact);
  const total = real(fact.total);
  const framework = real(fact.framework_value);
  const decimals = decimalsFor([...entered(fact), ...parts.map((part) => part.value), total, framework], DIGITS);
  const line = (kind: LineKind, value: number, words = "", number = 0): Line => ({
    kind,
    words,
    number,
    value,
    text: kind === "difference" || kind === "bound" ? tiny(value) : printed(kind, value, decimals),
  });
  const lines: Line[] = [];
  if (parts.length > 0) {
    const values = parts.map((part) => part.value);
    const sum = values.reduce((left, value) => left + value, 0);
    const whole = addsUpTo(values, total) ? total : sum;
    lines.push(...parts.map((part) => line(part.kind, part.value, "", part.number)));
    const rounding = roundingOf(values, whole, decimals);
    if (rounding !== null) lines.push({ ...line("rounding", 0), text: rounding });
    if (whole !== total) {
      lines.push(line("sum", whole));
      lines.push(...stepsAfter(fact, whole).map((step) => line("step", real(step.value), step.words)));
    }
  } else {
    lines.push(...fact.steps.map((step) => line("step", real(step.value), step.words)));
  }
  if (fact.explained) lines.push(marked(line("total", total), !!fact.reduced));
  lines.push(marked(line("framework", framework), !!fact.near));
  if (fact.explained) lines.push(line("difference", real(fact.residual)), line("bound", real(fact.tolerance)));
  return { decimals, lines };
}

/** A number that had to be reduced is never printed like one that is exact. */
function marked(line: Line, near: boolean): Line {
  return near ? { ...line, text: `≈ ${line.text}` } : line;
}

/** All that the explanation shows beside the ledger: its numbers have the same decimals as these, as in Python. */
function entered(fact: ExplanationFact): number[] {
  const groups = fact.groups.flatMap((group) => [...group.window, ...(group.products ?? [])]);
  const terms = fact.terms.flatMap((term) => [term.value, term.contribution ?? 0]);
  return [...groups, ...terms].map(real);
}

/** A small step or total isn't printed as a zero; a small part may be: the rounding of the sum tells of it. */
function printed(kind: LineKind, value: number, decimals: number): string {
  const text = fixed(value, decimals);
  const adds = kind === "group" || kind === "term" || kind === "rest" || kind === "bias" || kind === "rounding";
  return value !== 0 && !adds && !/[1-9∞N]/.test(text) ? short(value, DIGITS) : text;
}

/** What is added up: channels or terms, the rest together, the bias; nothing where the value isn't a sum. */
export function partsOf(fact: ExplanationFact): Part[] {
  if (!fact.explained) return [];
  const parts: Part[] = [];
  const groups = fact.groups.filter((group) => group.sum !== null);
  if (groups.length > 0 && groups.length === fact.groups.length) {
    parts.push(...groups.map((group, number): Part => ({ kind: "group", number, value: real(group.sum) })));
    const folded = fact.groups_total - groups.length;
    if (folded > 0 && fact.folded_sum !== null) parts.push({ kind: "rest", number: folded, value: real(fact.folded_sum) });
  } else if (SUMS.test(fact.rule ?? "") && fact.terms.every((term) => term.contribution !== null)) {
    parts.push(...fact.terms.map((term, number): Part => ({ kind: "term", number, value: real(term.contribution) })));
    const folded = fact.terms_total - fact.terms.length;
    if (folded > 0) parts.push({ kind: "rest", number: folded, value: termsRest(fact) });
  }
  if (parts.length < 2 && fact.bias === null) return [];
  if (parts.length > 0 && fact.bias !== null) parts.push({ kind: "bias", number: 0, value: fact.bias });
  return parts;
}

/** What the terms that aren't listed contribute together. */
function termsRest(fact: ExplanationFact): number {
  const listed = fact.terms.reduce((sum, term) => sum + real(term.contribution), 0);
  if (fact.folded_sum !== null) return real(fact.folded_sum);
  return real(fact.total) - (fact.bias ?? 0) - listed;
}

/** Equal but for the last places of float64: the server adds in another order. */
function addsUpTo(values: readonly number[], total: number): boolean {
  if (Number.isNaN(total)) return values.some((value) => !Number.isFinite(value));
  const sum = values.reduce((left, value) => left + value, 0);
  if (sum === total) return true;
  const size = values.reduce((left, value) => left + Math.abs(value), Math.abs(total));
  return Math.abs(sum - total) <= 1e-10 * size;
}

/** The steps that follow once everything is added up; the one that states that sum is told already. */
function stepsAfter(fact: ExplanationFact, sum: number): ExplanationFact["steps"] {
  const first = fact.steps.findIndex((step) => addsUpTo([sum], real(step.value)));
  return first >= 0 ? fact.steps.slice(first + 1) : fact.steps;
}
