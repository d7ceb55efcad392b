/** The desk in a worker: layers are worked out away from the page, which answers meanwhile. */
import { answered, type Failure, type Received, type Sent } from "./asking";
import { Desk } from "./desk";
import { NotHeld } from "./reason";

let desk: Desk | null = null;
/** Blobs that were asked for and haven't come yet. */
const waiting = new Map<number, ((text: string) => void)[]>();
const asked = new Map<number, AbortController>();

const send = (message: Received, moved: Transferable[] = []) => postMessage(message, { transfer: moved });

export function serveDesk(): void {
  addEventListener("message", (event: MessageEvent<Sent>) => receive(event.data));
  send({ kind: "ready" });
}

function receive(message: Sent): void {
  if (message.kind === "begin") desk = new Desk(message.held, textOf);
  else if (message.kind === "drop") asked.get(message.id)?.abort();
  else if (message.kind === "ask") void answer(message);
  else {
    for (const told of waiting.get(message.blob) ?? []) told(message.text);
    waiting.delete(message.blob);
  }
}

function textOf(blob: number): Promise<string> {
  return new Promise((told) => {
    const others = waiting.get(blob);
    if (others) others.push(told);
    else {
      waiting.set(blob, [told]);
      send({ kind: "need", blob });
    }
  });
}

async function answer({ id, what, given }: Extract<Sent, { kind: "ask" }>): Promise<void> {
  const dropping = new AbortController();
  asked.set(id, dropping);
  try {
    const value = await answered(desk as Desk, what, given, dropping.signal);
    send({ kind: "found", id, value }, numbersIn(value));
  } catch (error) {
    send({ kind: "failed", id, failure: failureOf(error, dropping.signal.aborted) });
  } finally {
    asked.delete(id);
  }
}

function failureOf(error: unknown, dropped: boolean): Failure {
  return {
    dropped,
    reason: error instanceof NotHeld ? error.reason : null,
    message: error instanceof Error ? error.message : String(error),
  };
}

/** Values are handed over, not copied: they were made for this answer alone. */
function numbersIn(value: unknown): Transferable[] {
  const data = typeof value === "object" && value !== null && "data" in value ? value.data : null;
  return data instanceof Float32Array ? [data.buffer as ArrayBuffer] : [];
}
