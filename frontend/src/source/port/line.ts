/**
 * The line from the page to a notebook's kernel: a message port, at whose other end `hosts/notebook/widget.js` passes
 * questions on as messages of the widget. Every question has a number; its answer comes back under it.
 */
import type { ProblemFact } from "../facts";
import { widened } from "../npy";
import { Problem, type Values } from "../source";

/** What is chosen, as the notebook's Python sees it. */
export interface Shown {
  layer: string;
  channel: number;
  pixel: [number, number] | null;
}

export interface Reply<T> {
  fact: T;
  data: ArrayBuffer | null;
  shape: number[];
  dtype: string;
}

interface Answer {
  id: string;
  fact?: unknown;
  shape?: number[];
  dtype?: string;
  problem?: ProblemFact;
  status?: number;
}

type FromNotebook = { answer: Answer; data: ArrayBuffer | null } | { show: Shown; turn: number } | { dark: boolean | null };
type Waiting = { resolve: (reply: Reply<unknown>) => void; reject: (error: unknown) => void };

export class Line {
  /** Called when Python chooses something. */
  onshow: (shown: Shown) => void = () => undefined;
  /** The notebook has taken on another theme, or none that it tells. */
  ontheme: (theme: "dark" | "light" | undefined) => void = () => undefined;
  /** How often Python has chosen something; said with what the page chooses, so that the notebook knows what came later. */
  #turn = 0;
  #next = 0;
  readonly #waiting = new Map<string, Waiting>();

  constructor(private readonly port: MessagePort) {
    port.onmessage = (event: MessageEvent<FromNotebook>) => this.#heard(event.data);
  }

  /** Asks the kernel. An abort lets the answer fall: the kernel takes questions one after the other. */
  ask<T>(name: string, given: Record<string, unknown> = {}, signal?: AbortSignal | null, file?: ArrayBuffer): Promise<Reply<T>> {
    const id = String(this.#next++);
    return new Promise<Reply<T>>((resolve, reject) => {
      signal?.throwIfAborted();
      this.#waiting.set(id, { resolve: resolve as Waiting["resolve"], reject });
      signal?.addEventListener("abort", () => this.#waiting.delete(id) && reject(signal.reason as Error), { once: true });
      this.port.postMessage({ question: { ask: name, with: given, id }, file: file ?? null }, file ? [file] : []);
    });
  }

  /** Tells the notebook what is chosen. */
  tell(shown: Shown): void {
    this.port.postMessage({ shown, turn: this.#turn });
  }

  #heard(message: FromNotebook): void {
    if ("dark" in message) {
      this.ontheme(message.dark === null ? undefined : message.dark ? "dark" : "light");
      return;
    }
    if ("show" in message) {
      this.#turn = message.turn;
      this.onshow(message.show);
      return;
    }
    const { answer, data } = message;
    const waiting = this.#waiting.get(answer.id);
    if (!waiting) return;
    this.#waiting.delete(answer.id);
    if (answer.problem) waiting.reject(new Problem(answer.problem, answer.status ?? 0));
    else waiting.resolve({ fact: answer.fact, data, shape: answer.shape ?? [], dtype: answer.dtype ?? "" });
  }
}

/** The numbers of an answer; float16 for means over several values. */
export function valuesOf(reply: Reply<unknown>, level = 0): Values {
  const count = reply.shape.reduce((product, size) => product * size, 1);
  const data = reply.data ?? new ArrayBuffer(0);
  const bytes = { float32: 4, float16: 2 }[reply.dtype];
  if (bytes === undefined || data.byteLength !== count * bytes) {
    throw new Error(`The kernel sent ${data.byteLength} bytes of ${reply.dtype} for ${reply.shape.join(" x ")} values`);
  }
  const values = bytes === 4 ? new Float32Array(data) : widened(new Uint16Array(data));
  return { data: values, shape: reply.shape, exact: level === 0 && bytes === 4 };
}
