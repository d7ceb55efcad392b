/** Words of one block, read one after the other; each reading states what it expects. The twin of `convlens.sketches.reader`. */
import type { Pair, Word } from "./blocks";
import { Mistake, say, type Said, type Words } from "./mistake";

/** The largest number that a sketch may hold. */
const MOST = 65_536;
const SIZE_IN_LINE = /[0-9]+(?:\s*[x×]\s*[0-9]+)+(?=[\s|]|$)/iy;
const OTHER = /[^\s|]+/y;
export const SIZE = /^[0-9]+(?:\s*[x×]\s*[0-9]+)+$/i;
const DECIMAL = /^[0-9]*\.?[0-9]+$/;
const NUMBER = /^[-+]?[0-9]*\.?[0-9]+$/;

export class Reader {
  readonly words: Word[] = [];
  #next = 0;

  /** Reads the words between `start` and `end` of `line`. */
  constructor(
    readonly line: string,
    start: number,
    end: number,
  ) {
    const part = line.slice(0, end);
    for (let at = start; at < end; ) {
      const found = matchAt(SIZE_IN_LINE, part, at) ?? matchAt(OTHER, part, at);
      if (found) this.words.push({ text: found.replace(/\s/g, "").toLowerCase().replaceAll("×", "x"), column: at, width: found.length });
      at += found ? found.length : 1;
    }
  }

  peek(): Word | null {
    return this.words[this.#next] ?? null;
  }

  /** The word that was taken last. */
  get last(): Word {
    return this.words[Math.max(this.#next - 1, 0)] as Word;
  }

  take(expected: Words, hint: Words = ""): Word {
    const word = this.peek();
    if (word === null) {
      const last = this.last;
      throw this.mistake({ text: "", column: last.column + last.width, width: 1 }, say("missing", { word: last.text }), expected, hint);
    }
    this.#next++;
    return word;
  }

  /** The next word as a whole number of at least 1. */
  number(what: Said, hint: Words = ""): number {
    const word = this.take(say("whatWhole", { what }), hint);
    return this.#whole(word, word.text, what, 1);
  }

  /** The next word as rows x columns: `3x5`, or `3` for `3x3`. */
  pair(what: Said, hint: Words = "", least = 1): Pair {
    const word = this.take(say("whatSizes", { what }), hint);
    const sides = word.text.split("x");
    if (sides.length > 2 || !sides.every((side) => NUMBER.test(side))) throw this.mistake(word, say("notThis", { what }), say("sizes"), hint);
    const numbers = sides.map((side) => this.#whole(word, side, what, least));
    return [numbers[0] as number, numbers[numbers.length - 1] as number];
  }

  /** The next word as a number from 0 to `most`. */
  decimal(what: Said, most: number): number {
    const word = this.take(say("whatNumber", { what }));
    if (!DECIMAL.test(word.text) || Number(word.text) > most) throw this.mistake(word, say("notThis", { what }), say("between", { most }));
    return Number(word.text);
  }

  /** The error for `problem`, with its caret under `at`; what stands there is told as received. */
  mistake(at: Word, problem: Said, expected: Words = "", hint: Words = ""): Mistake {
    const received = at.text ? `'${this.line.slice(at.column, at.column + at.width)}'` : "";
    return new Mistake(problem, this.line, at.column, at.width, expected, received, hint);
  }

  #whole(word: Word, text: string, what: Said, least: number): number {
    const digits = text.replace(/^0+/, "") || "0";
    if (!/^[0-9]+$/.test(text) || (least && digits === "0")) throw this.mistake(word, say("notThis", { what }), say("atLeast", { least }));
    if (digits.length > String(MOST).length || Number(digits) > MOST) throw this.mistake(word, say("tooMuch", { what }), say("atMost", { most: "65,536" }));
    return Number(digits);
  }
}

function matchAt(pattern: RegExp, text: string, at: number): string | null {
  pattern.lastIndex = at;
  return pattern.exec(text)?.[0] ?? null;
}

/** The question whether the closest of `known` was meant, or the word that `elsewhere` translates; or nothing. */
export function suggestion(text: string, known: readonly string[], elsewhere: Readonly<Record<string, string>>): Words {
  const close = Object.hasOwn(elsewhere, text) ? elsewhere[text] : closest(text, known);
  return close ? say("meant", { word: close }) : "";
}

/** The closest word with a likeness of at least 0.6 (Ratcliff and Obershelp, as Python's difflib has it); of equals the last by its letters. */
function closest(text: string, known: readonly string[]): string | null {
  let best: [number, string] | null = null;
  for (const word of known) {
    const likeness = (2 * inCommon(word, text)) / (word.length + text.length);
    if (likeness >= 0.6 && (best === null || likeness > best[0] || (likeness === best[0] && word > best[1]))) best = [likeness, word];
  }
  return best?.[1] ?? null;
}

function inCommon(a: string, b: string): number {
  let size = 0;
  let inA = 0;
  let inB = 0;
  for (let i = 0; i < a.length; i++) {
    for (let j = 0; j < b.length; j++) {
      let n = 0;
      while (i + n < a.length && j + n < b.length && a[i + n] === b[j + n]) n++;
      if (n > size) [size, inA, inB] = [n, i, j];
    }
  }
  if (size === 0) return 0;
  return size + inCommon(a.slice(0, inA), b.slice(0, inB)) + inCommon(a.slice(inA + size), b.slice(inB + size));
}
