/** The page's end of the desk: a worker where one starts, this thread where none does. */
import { answered, type Found, type Given, type Received, type Sent, type What } from "./asking";
import { Desk, type Held } from "./desk";
import { NotHeld } from "./reason";
import { start } from "../../workers/starting";

interface Waiting {
  what: What;
  given: unknown[];
  signal: AbortSignal;
  found: (value: unknown) => void;
  failed: (error: unknown) => void;
}

const NEVER = new AbortController().signal;

export class Asker {
  #worker: Worker | null = null;
  #ready = false;
  #desk: Desk | null = null;
  #next = 0;
  readonly #waiting = new Map<number, Waiting>();

  /** `texts` gives a blob's base64 text. */
  constructor(
    private readonly held: Held,
    private readonly texts: (blob: number) => string,
    startWorker: () => Worker = () => start("desk"),
  ) {
    try {
      this.#worker = startWorker();
      this.#worker.addEventListener("message", (event: MessageEvent<Received>) => this.#receive(event.data));
      this.#worker.addEventListener("error", (event) => {
        event.preventDefault();
        this.#alone();
      });
      this.#send({ kind: "begin", held });
    } catch {
      this.#alone();
    }
  }

  ask<W extends What>(what: W, given: Given<W>, signal: AbortSignal = NEVER): Promise<Found<W>> {
    if (signal.aborted) return Promise.reject(signal.reason);
    return new Promise<unknown>((found, failed) => {
      const waiting = { what, given, signal, found, failed };
      if (this.#desk) {
        this.#here(waiting);
        return;
      }
      const id = this.#next++;
      this.#waiting.set(id, waiting);
      this.#send({ kind: "ask", id, what, given });
      signal.addEventListener("abort", () => this.#drop(id), { once: true });
    }) as Promise<Found<W>>;
  }

  #drop(id: number): void {
    const waiting = this.#waiting.get(id);
    if (!waiting) return;
    this.#waiting.delete(id);
    this.#send({ kind: "drop", id });
    waiting.failed(waiting.signal.reason);
  }

  #receive(message: Received): void {
    if (message.kind === "ready") this.#ready = true;
    else if (message.kind === "need") this.#send({ kind: "blob", blob: message.blob, text: this.texts(message.blob) });
    else {
      const waiting = this.#waiting.get(message.id);
      this.#waiting.delete(message.id);
      if (message.kind === "found") waiting?.found(message.value);
      else waiting?.failed(message.failure.reason ? new NotHeld(message.failure.reason) : new Error(message.failure.message));
    }
  }

  #send(message: Sent): void {
    this.#worker?.postMessage(message);
  }

  /** No worker: the page answers itself, what was asked already first. An error of one that runs changes nothing. */
  #alone(): void {
    if (this.#ready) return;
    this.#worker?.terminate();
    this.#worker = null;
    this.#desk ??= new Desk(this.held, this.texts);
    const asked = [...this.#waiting.values()];
    this.#waiting.clear();
    for (const waiting of asked) this.#here(waiting);
  }

  #here({ what, given, signal, found, failed }: Waiting): void {
    if (this.#desk) answered(this.#desk, what, given, signal).then(found, failed);
  }
}
