/**
 * How the viewer that stands alone in one file starts its workers: from its own text, which is there once and learns from
 * its name what it is to do (`roles.ts`). Takes the place of starting.ts. A module would not start from the disk.
 */
import type { Role } from "./starting";

// Where the script runs for the first time: later nobody knows which element it came from.
const text = typeof document === "undefined" ? "" : (document.currentScript?.textContent ?? "");
let address: string | null = null;

export function start(role: Role): Worker {
  if (!text) throw new Error("the viewer doesn't know its own text");
  address ??= URL.createObjectURL(new Blob([text], { type: "text/javascript" }));
  return new Worker(address, { name: role });
}
