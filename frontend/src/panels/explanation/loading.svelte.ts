/** The explanation of the trail's current value: loaded when it is asked for, kept for walking to and fro. */
import type { ExplanationFact, PictureValueFact, ProblemFact } from "../../source/facts";
import { Problem } from "../../source/source";
import { Latest } from "../../state/latest";
import { preferences } from "../../state/preferences.svelte";
import type { View } from "../../state/view.svelte";

export type Found = ExplanationFact | PictureValueFact;

/** How many channels, largest sums first, are asked for at first. */
export const FIRST_GROUPS = 24;
const KEPT = 64;

export function isEnd(found: Found): found is PictureValueFact {
  return "input" in found;
}

export class Explaining {
  /** What is shown: the last one that arrived. */
  found = $state.raw<Found | null>(null);
  problem = $state.raw<ProblemFact | null>(null);
  loading = $state(false);
  groups = $state(FIRST_GROUPS);

  readonly #view: View;
  readonly #kept = new Map<string, Promise<Found>>();
  #shown = $state.raw("");
  readonly #following = new Latest();

  constructor(view: View) {
    this.#view = view;
  }

  /** Whether what is shown explains the trail's current value. */
  get current(): boolean {
    const entry = this.#view.trail[this.#view.step];
    const run = this.#view.run?.id;
    return !!entry && this.found !== null && run !== undefined && this.#shown === place(run, entry.layer, entry.index);
  }

  /** Loads what the trail stands at; called whenever that changes. */
  async follow(): Promise<void> {
    const { run, trail, step } = this.#view;
    const entry = trail[step];
    this.loading = false;
    if (!entry || !run || !this.#arrived(entry.layer)) return this.#following.drop();
    const here = place(run.id, entry.layer, entry.index);
    this.loading = true;
    await this.#following.ask(
      () => this.ask(entry.layer, entry.index),
      (found) => {
        this.found = found;
        this.#shown = here;
        this.problem = null;
        this.loading = false;
      },
      (error) => {
        this.problem = factOf(error);
        this.loading = false;
      },
    );
  }

  /** The explanation of one value of the current run, from memory if it is there. */
  ask(layer: string, index: number[]): Promise<Found> {
    const run = this.#view.run;
    if (!run) return Promise.reject(new Error("no run"));
    const key = `${place(run.id, layer, index)} ${this.groups} ${preferences.language}`; // what had to be reduced is told in words
    const known = this.#kept.get(key);
    if (known) return known;
    const asked = this.#view.source.explanation(run.id, layer, index, this.groups);
    this.#kept.set(key, asked);
    asked.catch(() => this.#kept.delete(key)); // what failed may be asked for again
    for (const old of this.#kept.keys()) {
      if (this.#kept.size <= KEPT) break;
      this.#kept.delete(old);
    }
    return asked;
  }

  /**
   * Follows the largest terms to a value of the picture, or to where nothing entered. The trail grows ahead of what is
   * shown; then one step goes to its end. Left alone as soon as the person walks elsewhere.
   */
  async walkToPicture(): Promise<void> {
    const view = this.#view;
    const { step: start, run } = view;
    let trail = (view.trail = view.trail.slice(0, start + 1));
    let entry = trail[start];
    for (let left = (view.network?.layers.length ?? 0) + 1; left > 0 && entry; left--) {
      const found = await this.ask(entry.layer, entry.index);
      if (view.trail !== trail || view.step !== start || view.run !== run) return;
      const next = isEnd(found) ? undefined : found.terms[0];
      if (!next) break;
      entry = { layer: next.layer, index: next.index };
      trail = view.trail = [...trail, entry];
    }
    // The layer that read the picture stays in sight when the walk ends at the picture itself.
    if (entry && !view.maps.has(entry.layer)) view.walkTo(trail.length - 2);
    view.walkTo(trail.length - 1);
  }

  #arrived(layer: string): boolean {
    return this.#view.maps.has(layer) || (this.#view.network?.inputs.some((input) => input.name === layer) ?? false);
  }
}

function place(run: string, layer: string, index: readonly number[]): string {
  return `${run} ${layer} ${index.join(",")}`;
}

function factOf(error: unknown): ProblemFact {
  if (error instanceof Problem) return error.fact;
  return { problem: error instanceof Error ? error.message : String(error), expected: "", received: "", hint: "" };
}
