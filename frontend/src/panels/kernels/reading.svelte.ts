/** The kernels' values: read in blocks of filters, only those that are looked at; the longest unseen are let go. */
import { SvelteMap } from "svelte/reactivity";
import type { KernelsFact } from "../../source/facts";
import type { Of, Source } from "../../source/source";

/** Values asked for at once, and values kept: 256 KB and 32 MB. */
const AT_ONCE = 1 << 16;
const KEPT = 1 << 23;

export class Weights {
  readonly fact: KernelsFact;
  readonly #source: Source;
  readonly #of: Of;
  /** Values of one filter. */
  readonly size: number;
  readonly #each: number;
  readonly #blocks = new SvelteMap<number, Float32Array>();
  readonly #asked = new Set<number>();
  /** Whether the source had to reduce them: what is shown is then near the weights, not these themselves. */
  near = $state(false);

  constructor(source: Source, of: Of, fact: KernelsFact) {
    this.#source = source;
    this.#of = of;
    this.fact = fact;
    this.size = fact.shape.slice(1).reduce((product, size) => product * size, 1);
    this.#each = Math.max(1, Math.floor(AT_ONCE / this.size));
  }

  /** A filter's values, all its channels one after another; null until they are there. */
  filter(number: number): Float32Array | null {
    const block = this.#blocks.get(Math.floor(number / this.#each));
    const first = (number % this.#each) * this.size;
    return block ? block.subarray(first, first + this.size) : null;
  }

  /** Reads the first filters, so that there is something to be seen at once. */
  async begin(): Promise<void> {
    this.#asked.add(0);
    await this.#read(0);
  }

  /** Sees to it that these filters are there, or will be. */
  want(filters: Iterable<number>): void {
    for (const block of new Set([...filters].map((number) => Math.floor(number / this.#each)))) {
      if (this.#blocks.has(block) || this.#asked.has(block)) continue;
      this.#asked.add(block);
      void this.#read(block);
    }
  }

  async #read(block: number): Promise<void> {
    const first = block * this.#each;
    const count = Math.min(this.#each, (this.fact.shape[0] ?? 0) - first);
    try {
      const values = await this.#source.kernelValues(this.#of, this.fact.layer, first, count);
      for (const old of this.#blocks.keys()) {
        if ((this.#blocks.size + 1) * this.#each * this.size <= KEPT) break;
        this.#blocks.delete(old);
      }
      this.#blocks.set(block, values.data);
      if (!values.exact) this.near = true;
    } catch {
      // The source is lost, which the page says elsewhere; what is looked at is asked for again.
    } finally {
      this.#asked.delete(block);
    }
  }
}
