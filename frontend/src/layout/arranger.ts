/** Asks the worker for an arrangement; where no worker can start, arranges on this thread. */
import type { Arrangement, Plan } from "./arrange";

export class Arranger {
  #worker: Worker | null = null;
  #number = 0;
  #waiting = new Map<number, { plan: Plan; done: (arrangement: Arrangement) => void; failed: (error: unknown) => void }>();

  constructor() {
    try {
      this.#worker = new Worker(new URL("./worker.ts", import.meta.url), { type: "module" });
      this.#worker.onmessage = (event: MessageEvent<{ number: number; arrangement: Arrangement }>) => {
        this.#waiting.get(event.data.number)?.done(event.data.arrangement);
        this.#waiting.delete(event.data.number);
      };
      this.#worker.onerror = () => this.#fallBack();
    } catch {
      this.#worker = null; // a file opened from disk may not start workers
    }
  }

  arrange(plan: Plan): Promise<Arrangement> {
    if (!this.#worker) return here(plan);
    const number = ++this.#number;
    return new Promise((done, failed) => {
      this.#waiting.set(number, { plan, done, failed });
      this.#worker?.postMessage({ number, plan });
    });
  }

  stop(): void {
    this.#worker?.terminate();
  }

  #fallBack(): void {
    this.#worker?.terminate();
    this.#worker = null;
    for (const { plan, done, failed } of this.#waiting.values()) here(plan).then(done, failed);
    this.#waiting.clear();
  }
}

async function here(plan: Plan): Promise<Arrangement> {
  return (await import("./arrange")).arrange(plan);
}
