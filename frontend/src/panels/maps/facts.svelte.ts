/** The facts of every channel of the chosen layer, asked for once and shared by the panels. */
import type { ChannelsFact } from "../../source/facts";
import type { Source } from "../../source/source";

const MOST = 64; // layers whose facts are kept

class Known {
  #facts = new Map<string, ChannelsFact>();
  #asked = new Set<string>();
  #version = $state(0);

  constructor(private readonly source: Source) {}

  /** The facts, or null until they are there; reading this follows their arrival. */
  of(run: string, layer: string): ChannelsFact | null {
    void this.#version;
    return this.#facts.get(`${run} ${layer}`) ?? null;
  }

  async ask(run: string, layer: string): Promise<void> {
    const key = `${run} ${layer}`;
    if (this.#facts.has(key) || this.#asked.has(key)) return;
    this.#asked.add(key);
    try {
      const facts = await this.source.channels(run, layer);
      this.#facts.set(key, facts);
      for (const oldest of this.#facts.keys()) {
        if (this.#facts.size <= MOST) break;
        this.#facts.delete(oldest);
      }
      this.#version++;
    } catch {
      // the page says elsewhere that the source is lost; the next visit asks again
    } finally {
      this.#asked.delete(key);
    }
  }
}

const known = new WeakMap<Source, Known>();

export function channelFacts(source: Source): Known {
  let facts = known.get(source);
  if (!facts) known.set(source, (facts = new Known(source)));
  return facts;
}
