/** What a person prefers, whatever is shown: theme, language, whether the walk's words are folded; kept in the browser. */

export type Theme = "system" | "light" | "dark";
export type Language = "en" | "th";

function kept<T extends string>(name: string, allowed: readonly T[], otherwise: T): T {
  try {
    const value = localStorage.getItem(`convlens.${name}`) as T;
    return allowed.includes(value) ? value : otherwise;
  } catch {
    return otherwise; // storage may be forbidden, as in a sandboxed frame
  }
}

function keep(name: string, value: string): void {
  try {
    localStorage.setItem(`convlens.${name}`, value);
  } catch {
    // forbidden: the preference holds for this page alone
  }
}

class Preferences {
  theme = $state<Theme>(kept("theme", ["system", "light", "dark"], "system"));
  /** The theme of the notebook in which the page stands, where it stands in one that tells. */
  host = $state<string | undefined>(typeof document === "undefined" ? undefined : document.documentElement.dataset["hostTheme"]);
  language = $state<Language>(
    kept("language", ["en", "th"], typeof navigator !== "undefined" && navigator.language.startsWith("th") ? "th" : "en"),
  );

  walk = $state<"open" | "folded">(kept("walk", ["open", "folded"], "open"));

  setTheme(theme: Theme): void {
    this.theme = theme;
    keep("theme", theme);
  }

  setLanguage(language: Language): void {
    this.language = language;
    keep("language", language);
  }

  foldWalk(folded: boolean): void {
    this.walk = folded ? "folded" : "open";
    keep("walk", this.walk);
  }
}

export const preferences = new Preferences();
