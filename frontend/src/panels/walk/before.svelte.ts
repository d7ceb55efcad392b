/** The network one step back, to say what has changed since: asked for once the shown one has run. */
import type { NetworkFact } from "../../source/facts";
import type { Source } from "../../source/source";

export class Before {
  network = $state.raw<NetworkFact | null>(null);
  readonly #known = new Map<string, NetworkFact>();
  #wanted: string | null = null;

  constructor(private readonly source: Source) {}

  /** Follows the model one step back; null where there is none. What is not known yet is asked for when `now` is true. */
  follow(model: string | null, now: boolean): void {
    this.#wanted = model;
    this.network = model === null ? null : (this.#known.get(model) ?? null);
    if (model === null || this.network || !now) return;
    this.source
      .network({ model })
      .then((found) => {
        this.#known.set(model, found);
        if (this.#wanted === model) this.network = found;
      })
      .catch(() => undefined); // the walk goes on without the comparison
  }
}
