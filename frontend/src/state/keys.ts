/** The keyboard. */
import type { View } from "./view.svelte";

export function install(_view: View): () => void {
  return () => undefined;
}
