/** A mistake in a sketch, in words that each language has: they are kept by their keys. */
import type { Key } from "../words";

type Sentence<K> = K extends `play.mistake.${infer Name}` ? Name : never;

/** Words by their key, and what stands in them. */
export interface Said {
  readonly key: Sentence<Key>;
  readonly values: Readonly<Record<string, Words | number>>;
}

/** A text that is the same in every language, or nothing; a choice of such texts; or what each language says. */
export type Words = string | readonly string[] | Said;

export function say(key: Said["key"], values: Said["values"] = {}): Said {
  return { key, values };
}

/** What was expected, what was received, what to type next, and which word is meant. */
export class Mistake extends Error {
  constructor(
    readonly problem: Said,
    readonly sketch: string,
    readonly column: number,
    readonly width: number,
    readonly expected: Words = "",
    readonly received: Words = "",
    readonly hint: Words = "",
  ) {
    super(problem.key);
    this.name = "Mistake";
  }
}
