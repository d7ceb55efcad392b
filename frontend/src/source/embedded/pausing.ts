/** Long work in small pieces, so that a question that is quickly answered needn't wait for it. */

const LONG = 16; // milliseconds of work between two pauses
let since = 0;

/** Lets what is waiting go first, where it is time. Raises where the work is no longer wanted. */
export async function pause(signal?: AbortSignal): Promise<void> {
  signal?.throwIfAborted();
  if (performance.now() - since < LONG) return;
  await others();
  since = performance.now();
  signal?.throwIfAborted();
}

/** Back at the end of the queue: a message to oneself, since timers wait at least 4 ms. */
function others(): Promise<void> {
  return new Promise((resume) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      port1.close();
      resume();
    };
    port2.postMessage(null);
  });
}
