/** The view as an address: what stands behind the `#` of the page's URL, so that a link reopens the same view. */

import type { Misfit } from "./fitting";

export const MODES = ["auto", "diverging", "sequential"] as const;
export const SCALES = ["map", "layer", "network"] as const;
export const SORTS = ["number", "mean", "maximum", "variance", "sparsity"] as const;
export const TABS = ["maps", "kernels", "words"] as const;
export type Mode = (typeof MODES)[number];
export type ScaleOf = (typeof SCALES)[number];
export type Sort = (typeof SORTS)[number];
export type Tab = (typeof TABS)[number];

export interface Address {
  model: string | null;
  picture: string | null;
  layer: string | null;
  channel: number;
  slice: number;
  /** Row and column of the chosen pixel. */
  at: [number, number] | null;
  mode: Mode;
  scale: ScaleOf;
  sort: Sort;
  /** What is shown of the layer. */
  tab: Tab;
  /** Whether a colour means the same at every step of a training, or each step has colours of its own. */
  together: boolean;
  /** The recipe, where it isn't the model's own. */
  recipe: Record<string, unknown> | null;
}

export const START: Address = {
  model: null,
  picture: null,
  layer: null,
  channel: 0,
  slice: 0,
  at: null,
  mode: "auto",
  scale: "layer",
  sort: "number",
  tab: "maps",
  together: true,
  recipe: null,
};

const ROOM = "#/see";
const WHOLE = /^\d{1,15}$/;
const PLACE = /^(\d{1,9}),(\d{1,9})$/;

export function format(address: Address): string {
  const query = new URLSearchParams();
  if (address.model !== null) query.set("model", address.model);
  if (address.picture !== null) query.set("picture", address.picture);
  if (address.layer !== null) query.set("layer", address.layer);
  if (address.channel) query.set("channel", String(address.channel));
  if (address.slice) query.set("slice", String(address.slice));
  if (address.at) query.set("at", address.at.join(","));
  if (address.mode !== START.mode) query.set("colours", address.mode);
  if (address.scale !== START.scale) query.set("scale", address.scale);
  if (address.sort !== START.sort) query.set("sort", address.sort);
  if (address.tab !== START.tab) query.set("show", address.tab);
  if (!address.together) query.set("steps", "apart");
  if (address.recipe !== null) query.set("recipe", JSON.stringify(address.recipe));
  const text = query.toString().replaceAll("%2C", ",").replaceAll("%2F", "/");
  return text ? `${ROOM}?${text}` : ROOM;
}

/** Reads an address; what it can't read keeps its start value, so that an old or mistyped link still opens. */
export function parse(hash: string): Address {
  const query = new URLSearchParams(hash.split("?").slice(1).join("?"));
  const whole = (name: string) => {
    const value = query.get(name) ?? "";
    return WHOLE.test(value) ? Number(value) : 0;
  };
  const one = <T extends string>(name: string, allowed: readonly T[], otherwise: T): T => {
    const value = query.get(name) as T;
    return allowed.includes(value) ? value : otherwise;
  };
  const at = PLACE.exec(query.get("at") ?? "");
  return {
    model: query.get("model"),
    picture: query.get("picture"),
    layer: query.get("layer"),
    channel: whole("channel"),
    slice: whole("slice"),
    at: at ? [Number(at[1]), Number(at[2])] : null,
    mode: one("colours", MODES, START.mode),
    scale: one("scale", SCALES, START.scale),
    sort: one("sort", SORTS, START.sort),
    tab: one("show", TABS, START.tab),
    together: query.get("steps") !== "apart",
    recipe: object(query.get("recipe")),
  };
}

/** The parts of an address that say nothing here: another room, a word that isn't known, a number that is none. */
export function unread(hash: string): Misfit[] {
  const misfit = (part: Misfit["part"], asked: string): Misfit => ({ part, asked, shown: "", layer: "" });
  const room = /^#\/?([^?/]*)/.exec(hash)?.[1] ?? "";
  const query = new URLSearchParams(hash.split("?").slice(1).join("?"));
  const read: Record<string, RegExp | readonly string[]> = {
    channel: WHOLE, slice: WHOLE, at: PLACE, colours: MODES, scale: SCALES, sort: SORTS, show: TABS, steps: ["apart", "together"],
  };
  const odd = Object.entries(read).flatMap(([name, allowed]) => {
    const value = query.get(name);
    const says = value === null || ("test" in allowed ? allowed.test(value) : allowed.includes(value));
    return says ? [] : [misfit("unread", `${name}=${value}`)];
  });
  const recipe = query.get("recipe");
  if (recipe !== null && object(recipe) === null) odd.push(misfit("unread", `recipe=${recipe}`));
  return room === "" || room === "see" ? odd : [misfit("room", room), ...odd];
}

function object(text: string | null): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(text ?? "null");
    return value !== null && typeof value === "object" && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : null;
  } catch {
    return null;
  }
}
