/** The page's end of the workshop: a worker where one starts, this thread where none does. */
import type { Asked, Order, Place, Sheet, Told, Window } from "./orders";
import { start } from "../workers/starting";
import { Workshop } from "./workshop";

export class Working {
  #worker: Worker | null = null;
  #ready = false;
  #here: Workshop | null = null;
  /** What was sent before anybody answered, for the workshop on this thread. */
  #sent: Asked[] = [];
  #asked = 0;
  readonly #waiting = new Map<number, (found: Window | null) => void>();

  constructor(
    private readonly told: (message: Told) => void,
    startWorker: () => Worker = () => start("workshop"),
  ) {
    try {
      this.#worker = startWorker();
      this.#worker.addEventListener("message", (event: MessageEvent<Told>) => this.#receive(event.data));
      this.#worker.addEventListener("error", (event) => {
        event.preventDefault();
        this.#alone();
      });
    } catch {
      this.#alone();
    }
  }

  picture(sheet: Sheet): void {
    this.#send({ kind: "picture", sheet });
  }

  work(order: Order): void {
    this.#send({ kind: "work", order });
  }

  /** A value of the whole picture's maps, taken apart where `explain` asks for it; null where they aren't there. */
  value(place: Place, explain = false): Promise<Window | null> {
    const id = this.#asked++;
    return new Promise((found) => {
      this.#waiting.set(id, found);
      this.#send({ kind: "window", id, place, explain });
    });
  }

  stop(): void {
    this.#worker?.terminate();
  }

  #send(message: Asked): void {
    if (!this.#ready && !this.#here) this.#sent.push(message);
    this.#worker?.postMessage(message);
    this.#here?.receive(message);
  }

  #receive(message: Told): void {
    if (message.kind === "ready") {
      this.#ready = true;
      this.#sent = [];
    } else if (message.kind === "window") {
      this.#waiting.get(message.id)?.(message.found);
      this.#waiting.delete(message.id);
    } else this.told(message);
  }

  #alone(): void {
    if (this.#ready || this.#here) return;
    this.#worker?.terminate();
    this.#worker = null;
    this.#here = new Workshop((message) => this.#receive(message));
    for (const message of this.#sent) this.#here.receive(message);
    this.#sent = [];
  }
}
