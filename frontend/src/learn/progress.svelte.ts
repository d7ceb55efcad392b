/** Which lessons a person has finished, kept in the browser. */
import { LESSONS, type Name } from "./lessons";

const PLACE = "convlens.learned";

function kept(): Name[] {
  try {
    const names = (localStorage.getItem(PLACE) ?? "").split(",");
    return LESSONS.filter((name) => names.includes(name));
  } catch {
    return []; // storage may be forbidden, as in a sandboxed frame
  }
}

class Progress {
  #done = $state<Name[]>(kept());

  has(name: Name): boolean {
    return this.#done.includes(name);
  }

  get count(): number {
    return this.#done.length;
  }

  finish(name: Name): void {
    if (this.has(name)) return;
    this.#done.push(name);
    try {
      localStorage.setItem(PLACE, this.#done.join(","));
    } catch {
      // forbidden: it holds for this page alone
    }
  }
}

export const progress = new Progress();
