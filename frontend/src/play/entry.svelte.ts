/** Fields of numbers: what is none is told while it stands there, and the number that holds comes back. */
import { keyed } from "../panels/numbers";

const NUMBER = /^[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?$/i;
const BEGUN = /^([-+]?\.?|[-+]?[\d.]+e[-+]?)$/i;

/** What was typed as a float32, with a comma or a point and either minus; `null` where it is none. */
export function typed(text: string): number | null {
  const plain = keyed(text);
  const value = NUMBER.test(plain) ? Math.fround(Number(plain)) : NaN;
  return Number.isFinite(value) ? value : null;
}

export class Entry {
  /** Which field holds something wrong, and what. */
  wrong = $state.raw<{ readonly field: string; readonly given: string } | null>(null);
  /** The field whose text is still refused, not yet put back. */
  standing = $state.raw<string | null>(null);

  constructor(private readonly read: (text: string) => number | null = typed) {}

  /** A key was pressed in a field; what only begins a number is not wrong yet. */
  follow(field: string, text: string): void {
    if (this.read(text) !== null || BEGUN.test(keyed(text))) this.wrong = this.standing = null;
    else this.#refuse(field, text);
  }

  /** The number in a field that was entered or left; `null`, and the text `kept` back in it, where there is none. */
  take(field: string, input: HTMLInputElement, kept: string): number | null {
    if (input.value === kept) return null;
    const value = this.read(input.value);
    if (value === null) this.#refuse(field, input.value);
    else this.wrong = null;
    this.standing = null;
    if (value === null) input.value = kept;
    return value;
  }

  #refuse(field: string, given: string): void {
    this.wrong = { field, given };
    this.standing = field;
  }
}
