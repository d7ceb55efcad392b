/** What is wanted now is loaded, a few at a time; what is wanted no more is given up. */

export interface Wish {
  key: string;
  load(signal: AbortSignal): Promise<void>;
}

export class Queue {
  #running = new Map<string, AbortController>();
  #wishes: Wish[] = [];
  /** What failed isn't asked for again until the page wants something else in between. */
  #failed = new Set<string>();

  constructor(
    private readonly arrived: () => void,
    private readonly most = 4,
  ) {}

  /** `wishes` in the order of their urgency; the running ones that aren't among them are aborted. */
  want(wishes: Wish[]): void {
    const keys = new Set(wishes.map((wish) => wish.key));
    for (const [key, controller] of this.#running) {
      if (keys.has(key)) continue;
      this.#running.delete(key);
      controller.abort();
    }
    for (const key of this.#failed) if (!keys.has(key)) this.#failed.delete(key);
    this.#wishes = wishes.filter((wish) => !this.#running.has(wish.key) && !this.#failed.has(wish.key));
    this.#next();
  }

  stop(): void {
    this.want([]);
  }

  #next(): void {
    while (this.#running.size < this.most) {
      const wish = this.#wishes.shift();
      if (!wish) return;
      const controller = new AbortController();
      this.#running.set(wish.key, controller);
      void this.#load(wish, controller);
    }
  }

  async #load(wish: Wish, controller: AbortController): Promise<void> {
    let arrived = false;
    try {
      await wish.load(controller.signal);
      arrived = !controller.signal.aborted;
    } catch {
      if (!controller.signal.aborted) this.#failed.add(wish.key); // the source says elsewhere that it is lost
    }
    if (this.#running.get(wish.key) === controller) this.#running.delete(wish.key);
    if (arrived) this.arrived();
    this.#next();
  }
}
