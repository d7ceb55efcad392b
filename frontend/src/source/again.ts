/** Runs that were let go to keep memory bounded are run again by themselves: whoever asks about one doesn't notice. */
import { Problem, type RunRequest } from "./source";

export class Again {
  /** Runs by id, as they were asked for. */
  readonly #requests = new Map<string, RunRequest>();
  readonly #running = new Map<string, Promise<unknown>>();

  /** `isGone` tells whether a problem says that the run is there no more; `run` has it run until it has ended. */
  constructor(
    private readonly isGone: (problem: Problem, run: string) => boolean | Promise<boolean>,
    private readonly run: (request: RunRequest) => Promise<unknown>,
  ) {}

  remember(run: string, request: RunRequest): void {
    this.#requests.set(run, request);
  }

  /** Asks; where the run is gone, has it run again and asks once more. Several questions wait for one run. */
  async of<T>(run: string, ask: () => Promise<T>): Promise<T> {
    try {
      return await ask();
    } catch (error) {
      const request = this.#requests.get(run);
      if (!(error instanceof Problem) || !request || !(await this.isGone(error, run))) throw error;
      let running = this.#running.get(run);
      if (!running) {
        running = this.run(request).finally(() => this.#running.delete(run));
        this.#running.set(run, running);
      }
      await running;
      return ask();
    }
  }
}
