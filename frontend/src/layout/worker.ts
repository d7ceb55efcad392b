/** Lays graphs out away from the main thread, so that the page answers meanwhile. */
import { arrange, type Plan } from "./arrange";

addEventListener("message", (event: MessageEvent<{ number: number; plan: Plan }>) => {
  postMessage({ number: event.data.number, arrangement: arrange(event.data.plan) });
});
