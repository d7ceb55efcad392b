/** What was worked out and is still in memory: each once, the least recently used let go where there is too much. */

export class Kept<T> {
  /** By name; the least recently used come first. */
  readonly #entries = new Map<string, { made: Promise<T>; bytes: number }>();
  #bytes = 0;

  constructor(
    private readonly most: number,
    private readonly sizeOf: (value: T) => number,
  ) {}

  /** What is kept under a name, or is being made; made where there is none. What fails isn't kept. */
  get(name: string, make: () => Promise<T>): Promise<T> {
    const known = this.#entries.get(name);
    if (known) {
      this.#entries.delete(name);
      this.#entries.set(name, known);
      return known.made;
    }
    const entry = { made: make(), bytes: 0 };
    this.#entries.set(name, entry);
    entry.made.then(
      (value) => this.#weigh(name, entry, this.sizeOf(value)),
      () => this.#entries.delete(name),
    );
    return entry.made;
  }

  has(name: string): boolean {
    return (this.#entries.get(name)?.bytes ?? 0) > 0;
  }

  #weigh(name: string, entry: { bytes: number }, bytes: number): void {
    entry.bytes = Math.max(bytes, 1);
    this.#bytes += entry.bytes;
    for (const [other, held] of this.#entries) {
      if (this.#bytes <= this.most) break;
      if (other === name || held.bytes === 0) continue; // one that is being made is needed
      this.#entries.delete(other);
      this.#bytes -= held.bytes;
    }
  }
}
