/** How the page that a server serves starts its workers: from files beside it. */
export type Role = "layout" | "desk" | "workshop";

export function start(role: Role): Worker {
  if (role === "layout") return new Worker(new URL("../layout/worker.ts", import.meta.url), { type: "module" });
  if (role === "workshop") return new Worker(new URL("../play/worker.ts", import.meta.url), { type: "module" });
  return new Worker(new URL("../source/embedded/worker.ts", import.meta.url), { type: "module" });
}
