/** Lays graphs out away from the main thread, so that the page answers meanwhile. */
import { arrange, type Plan } from "./arrange";

export function serveLayout(): void {
  addEventListener("message", (event: MessageEvent<Plan>) => postMessage(arrange(event.data)));
}
