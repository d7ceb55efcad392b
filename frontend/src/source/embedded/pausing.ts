/** Long work in small pieces, so that a question that is quickly answered needn't wait for it. */

const LONG = 12; // milliseconds of work between two pauses
let since = 0;

/** Lets what is waiting go first, where it is time. Raises where the work is no longer wanted. */
export async function pause(signal?: AbortSignal): Promise<void> {
  signal?.throwIfAborted();
  const now = performance.now();
  if (now - since < LONG) return;
  await new Promise((resume) => setTimeout(resume, 0));
  since = performance.now();
  signal?.throwIfAborted();
}
