/** How the viewer that stands alone in one file starts its workers: from its own text. Takes the place of starting.ts. */
import LayoutWorker from "./worker?worker&inline";

export function startLayout(): Worker {
  return new LayoutWorker();
}
