/** A line of a derivation as the page writes it: in the person's language, with the signs of mathematics, its shortest form first. */
import { countedInWords } from "../../learn/parameters";
import { plainly } from "../../learn/questions";
import type { DerivationLineFact } from "../../source/facts";
import { t, type Key } from "../../words";

export interface Written {
  what: string;
  /** The shortest form, with its result. */
  short: string;
  /** The rule in general, then with all of its numbers; nothing where the shortest form says as much. */
  rules: string[];
}

const COUNTED = "kernel rows * kernel columns * "; // a word stands at each of these factors

export function written({ what, formula, terms, value }: DerivationLineFact): Written {
  const named = wordsFor("words.line", what) ?? what;
  const counted = formula.startsWith(COUNTED) ? countedInWords(terms, value) : null;
  if (counted !== null) return { what: named, short: counted, rules: [] };
  const whole = `${signs(terms || formula)} = ${value}`;
  const rules = terms ? [ruled(formula)] : [];
  const short = plainly(terms, value);
  return short === null ? { what: named, short: whole, rules } : { what: named, short, rules: [...rules, whole] };
}

/** A rule with words for its names. */
function ruled(formula: string): string {
  return signs(formula).replace(/[a-z]\w*(?: [a-z]\w*)*/g, (name) => wordsFor("words.name", name) ?? name);
}

function wordsFor(group: string, name: string): string | null {
  const key = `${group}.${name.replaceAll(" ", "_")}` as Key;
  const found = t(key);
  return found === key ? null : found;
}

const BRACKETS: Record<string, string> = { floor: "⌊⌋", ceil: "⌈⌉" };

/** `floor((7-1)*2)` as it is written by hand: `⌊(7 − 1) × 2⌋`. */
export function signs(text: string): string {
  const apart = text.replace(/\s*\*\s*/g, " × ").replace(/([\w)])\s*([-+])\s*(?=[\w(-])/g, "$1 $2 ").replace(/([\w)]) - /g, "$1 − ").replaceAll("-", "−");
  const open: string[] = [];
  return apart.replace(/(floor|ceil)?\(|\)/g, (found, name?: string) => {
    if (found === ")") return open.pop() ?? found;
    const [left = "(", right = ")"] = name ? (BRACKETS[name] ?? "") : "()";
    open.push(right);
    return left;
  });
}
