/** How the page that a server serves starts its workers: from files beside it. */
export function startLayout(): Worker {
  return new Worker(new URL("./worker.ts", import.meta.url), { type: "module" });
}
