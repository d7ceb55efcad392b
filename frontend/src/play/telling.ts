/** The words of a mistake in the person's language. */
import { t } from "../words";
import type { Words } from "./mistake";

export function told(words: Words): string {
  if (typeof words === "string") return words;
  if (!("key" in words)) return listed(words);
  const values = Object.entries(words.values).map(([name, value]) => [name, typeof value === "number" ? value : told(value)]);
  return t(`play.mistake.${words.key}`, Object.fromEntries(values));
}

/** The words with commas, and "or" before the last. */
function listed(words: readonly string[]): string {
  const last = words.at(-1) ?? "";
  return words.length > 1 ? t("play.mistake.listed", { words: words.slice(0, -1).join(", "), last }) : last;
}
