/** What was loaded, bounded in bytes: the least lately used goes first. */

export class Kept<V> {
  #kept = new Map<string, { value: V; bytes: number }>();
  #bytes = 0;

  constructor(
    readonly limit: number,
    private readonly dropped: (key: string, value: V) => void = () => undefined,
  ) {}

  get bytes(): number {
    return this.#bytes;
  }

  get size(): number {
    return this.#kept.size;
  }

  /** What is kept now, the least lately used first. */
  keys(): string[] {
    return [...this.#kept.keys()];
  }

  /** Looks without counting as a use. */
  has(key: string): boolean {
    return this.#kept.has(key);
  }

  get(key: string): V | undefined {
    const entry = this.#kept.get(key);
    if (!entry) return undefined;
    this.#kept.delete(key); // the order of a Map is the order of use
    this.#kept.set(key, entry);
    return entry.value;
  }

  set(key: string, value: V, bytes: number): void {
    this.delete(key);
    this.#kept.set(key, { value, bytes });
    this.#bytes += bytes;
    for (const oldest of this.#kept.keys()) {
      if (this.#bytes <= this.limit || oldest === key) break; // what was just put in always stays
      this.delete(oldest);
    }
  }

  delete(key: string): void {
    const entry = this.#kept.get(key);
    if (!entry) return;
    this.#kept.delete(key);
    this.#bytes -= entry.bytes;
    this.dropped(key, entry.value);
  }

  each(visit: (value: V) => void): void {
    for (const { value } of this.#kept.values()) visit(value);
  }
}
