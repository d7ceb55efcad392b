/** The exact receptive field of one value, asked for when the cursor rests and kept for when it comes back. */
import type { BoxFact } from "../../source/facts";
import type { Source } from "../../source/source";
import { Latest } from "../../state/latest";

const REST = 50; // milliseconds that the cursor stays before the source is asked
const KEPT = 2000;

export class ExactField {
  /** Undefined while it isn't known; null where the layer sees no picture. */
  box = $state.raw<BoxFact | null | undefined>(undefined);
  #kept = new Map<string, BoxFact | null>();
  readonly #asking = new Latest();
  #wanted = "";
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(private readonly source: Source) {}

  follow(run: string | null, layer: string, index: readonly number[]): void {
    const key = run === null ? "" : `${run} ${layer} ${index.join(",")}`;
    if (key === this.#wanted) return;
    this.#wanted = key;
    clearTimeout(this.#timer);
    this.#asking.drop();
    this.box = this.#kept.get(key);
    if (run === null || this.#kept.has(key)) return;
    this.#timer = setTimeout(() => {
      void this.#asking.ask(
        () => this.source.field(run, layer, [...index]),
        (box) => {
          const oldest = this.#kept.keys().next().value;
          if (this.#kept.size >= KEPT && oldest !== undefined) this.#kept.delete(oldest);
          this.#kept.set(key, box);
          this.box = box;
        },
      ); // lost: the box from the layer's facts stays, and says what it is
    }, REST);
  }
}
