/** The workshop in a worker: maps are worked out away from the page. */
import type { Asked, Told } from "./orders";
import { Workshop } from "./workshop";

export function serveWorkshop(): void {
  const send = (message: Told, moved: Transferable[] = []) => postMessage(message, { transfer: moved });
  const workshop = new Workshop(send);
  addEventListener("message", (event: MessageEvent<Asked>) => workshop.receive(event.data));
  send({ kind: "ready" });
}
