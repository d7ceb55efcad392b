/**
 * What was asked for - by a link, a notebook, a choice made elsewhere - fitted to what is there. The only place where it is
 * decided which layer, channel, slice and pixel are shown: a value that isn't there is never asked of anyone.
 */
import type { MapFact } from "../source/facts";

export interface Asked {
  /** Null where nobody asked for one. */
  layer: string | null;
  channel: number;
  slice: number;
  /** Row and column of the pixel. */
  at: readonly [number, number] | null;
}

export interface There {
  /** The network's layers, by name. */
  layers: ReadonlySet<string>;
  /** The layer that is shown where none was asked for. */
  first: string | null;
  /** The maps that have arrived. */
  maps: ReadonlyMap<string, MapFact>;
  /** Whether all have arrived that will. */
  complete: boolean;
}

/** A part that was asked for and isn't there, and what is shown in its place. */
export interface Misfit {
  part: "layer" | "channel" | "slice" | "at" | "picture" | "room" | "unread";
  asked: string;
  shown: string;
  /** The layer that has no such channel, slice or value. */
  layer: string;
}

export interface Fitted extends Asked {
  at: [number, number] | null;
}

export const NOTHING: Asked = { layer: null, channel: 0, slice: 0, at: null };

/**
 * What of it can be shown. While a layer's maps are still to come, channel, slice and pixel stay as they were asked for:
 * nothing reads a value before.
 */
export function fitted(asked: Asked, there: There): { shown: Fitted; misfits: Misfit[] } {
  const { layer: wished } = asked;
  if (wished !== null && !there.layers.has(wished)) {
    const misfits: Misfit[] = there.first === null ? [] : [{ part: "layer", asked: wished, shown: there.first, layer: there.first }];
    return { shown: { ...NOTHING, layer: there.first, at: null }, misfits }; // its channel and pixel mean nothing in another layer
  }
  const layer = wished ?? there.first;
  const map = layer === null ? undefined : there.maps.get(layer);
  if (layer === null || !map) {
    const at: [number, number] | null = asked.at && !there.complete ? [...asked.at] : null;
    return { shown: { layer, channel: whole(asked.channel), slice: whole(asked.slice), at }, misfits: [] };
  }
  const channel = within(asked.channel, map.channels);
  const slice = within(asked.slice, map.slices);
  const empty = Math.min(map.channels, map.slices, map.rows, map.columns) < 1;
  const at: [number, number] | null = asked.at && !empty ? [within(asked.at[0], map.rows), within(asked.at[1], map.columns)] : null;
  const misfits: Misfit[] = [];
  const compare = (part: Misfit["part"], wish: string, is: string) => void (wish === is || misfits.push({ part, asked: wish, shown: is, layer }));
  compare("channel", String(asked.channel), String(channel));
  compare("slice", String(asked.slice), String(slice));
  compare("at", asked.at?.join(", ") ?? "", at?.join(", ") ?? "");
  return { shown: { layer, channel, slice, at }, misfits };
}

/** Whether a value of this index is in an array of this shape. */
export function isWithin(index: readonly number[], shape: readonly number[]): boolean {
  return index.length === shape.length && index.every((at, axis) => Number.isInteger(at) && at >= 0 && at < (shape[axis] ?? 0));
}

function whole(number: number): number {
  return Number.isSafeInteger(number) && number > 0 ? number : 0;
}

function within(number: number, count: number): number {
  return Math.max(Math.min(whole(number), count - 1), 0);
}
