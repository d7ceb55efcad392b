/** Asks the worker for an arrangement; where no worker can start, arranges on this thread. */
import type { Arrangement, Plan } from "./arrange";
import { start } from "../workers/starting";

interface Wish {
  plan: Plan;
  done(arrangement: Arrangement): void;
  failed(error: unknown): void;
}

/** Arranges one plan at a time. Of the plans that come meanwhile only the last is arranged: the others never answer. */
export class Arranger {
  #worker: Worker | null = null;
  #now: Wish | null = null;
  #next: Wish | null = null;

  constructor() {
    try {
      this.#worker = start("layout");
      this.#worker.onmessage = (event: MessageEvent<Arrangement>) => this.#end((wish) => wish.done(event.data));
      this.#worker.onerror = () => this.#fallBack();
    } catch {
      this.#worker = null; // a file opened from disk may not start workers
    }
  }

  arrange(plan: Plan): Promise<Arrangement> {
    return new Promise((done, failed) => {
      this.#next = { plan, done, failed };
      if (!this.#now) this.#begin();
    });
  }

  stop(): void {
    this.#worker?.terminate();
    this.#now = this.#next = null;
  }

  #begin(): void {
    this.#now = this.#next;
    this.#next = null;
    if (!this.#now) return;
    if (this.#worker) this.#worker.postMessage(this.#now.plan);
    else this.#here(this.#now.plan);
  }

  #end(answer: (wish: Wish) => void): void {
    if (this.#now) answer(this.#now);
    this.#begin();
  }

  #here(plan: Plan): void {
    import("./arrange").then(({ arrange }) => arrange(plan)).then(
      (arrangement) => this.#end((wish) => wish.done(arrangement)),
      (error: unknown) => this.#end((wish) => wish.failed(error)),
    );
  }

  #fallBack(): void {
    this.#worker?.terminate();
    this.#worker = null;
    if (this.#now) this.#here(this.#now.plan);
  }
}
