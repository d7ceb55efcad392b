/**
 * The page's words. `en.json` and `th.json` hold the same keys, grouped by panel; a translator edits nothing else.
 *
 * `{name}` in a message is replaced by the value of that name.
 */
import type { SaidFact } from "../source/facts";
import { preferences } from "../state/preferences.svelte";
import en from "./en.json";
import th from "./th.json";

type Leaves<T, P extends string = ""> = {
  [K in keyof T & string]: T[K] extends string ? `${P}${K}` : Leaves<T[K], `${P}${K}.`>;
}[keyof T & string];

export type Key = Leaves<typeof en>;

const LANGUAGES: Record<string, unknown> = { en, th };

/** The message of this key in the person's language. */
export function t(key: Key, values: Record<string, string | number> = {}): string {
  const message = find(LANGUAGES[preferences.language], key) ?? find(en, key) ?? key;
  return message.replace(/\{(\w+)\}/g, (whole, name: string) => String(values[name] ?? whole));
}

/** Words that came with the facts, in the person's language. */
export function said(words: SaidFact): string {
  return words[preferences.language];
}

function find(messages: unknown, key: string): string | null {
  let found: unknown = messages;
  for (const part of key.split(".")) found = (found as Record<string, unknown> | undefined)?.[part];
  return typeof found === "string" ? found : null;
}
