/** The questions that the page asks its desk, across the border of a worker: by the name of the desk's own method. */
import type { Desk, Held } from "./desk";
import type { Reason } from "./reason";

/** What can be asked: the desk's methods. */
export type What = Exclude<{ [K in keyof Desk]: Desk[K] extends (...given: never[]) => Promise<unknown> ? K : never }[keyof Desk], never>;
export type Given<W extends What> = Parameters<Desk[W]>;
export type Found<W extends What> = Awaited<ReturnType<Desk[W]>>;

/** What goes to the worker. */
export type Sent =
  | { kind: "begin"; held: Held }
  | { kind: "ask"; id: number; what: What; given: unknown[] }
  | { kind: "drop"; id: number }
  | { kind: "blob"; blob: number; text: string };

/** What comes back. */
export type Received =
  | { kind: "ready" }
  | { kind: "found"; id: number; value: unknown }
  | { kind: "failed"; id: number; failure: Failure }
  | { kind: "need"; blob: number };

/** Why there is no answer, as plain data. */
export interface Failure {
  dropped: boolean;
  reason: Reason | null;
  message: string;
}

/** Asks the desk, wherever it is. */
export function answered(desk: Desk, what: What, given: unknown[], signal: AbortSignal): Promise<unknown> {
  const ask = desk[what] as (...given: unknown[]) => Promise<unknown>;
  return ask.call(desk, ...given, ...(what === "tile" || what === "maps" ? [signal] : []));
}
