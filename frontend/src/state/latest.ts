/**
 * Questions of which only the last one counts: a person may choose anew while an earlier choice is still being answered,
 * and answers come in any order.
 */
export class Latest {
  #asking: AbortController | null = null;

  /**
   * Asks, and hands over the answer, or the error, if nothing was asked since; what was asked before is given up. Resolves
   * to whether the answer was taken.
   */
  async ask<T>(question: (signal: AbortSignal) => Promise<T>, take: (answer: T) => void | Promise<void>, refuse: (error: unknown) => void = () => undefined): Promise<boolean> {
    const { signal } = this.#begin();
    let answer: T;
    try {
      answer = await question(signal);
    } catch (error) {
      if (!signal.aborted) refuse(error);
      return false;
    }
    if (signal.aborted) return false;
    await take(answer);
    return true;
  }

  /** Gives up what was asked: its answer goes nowhere. */
  drop(): void {
    this.#asking?.abort();
    this.#asking = null;
  }

  #begin(): AbortController {
    this.drop();
    return (this.#asking = new AbortController());
  }
}
