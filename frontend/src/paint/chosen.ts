/** The scale that the person chose: of one map, of its layer, or of all maps of the network. */
import type { ChannelsFact, MapFact } from "../source/facts";
import type { Mode, ScaleOf } from "../state/address";
import { type Scale, scaleFor } from "./scale";

export interface Choice {
  mode: Mode;
  scale: ScaleOf;
  map: MapFact;
  /** All maps that have arrived, for a scale of the whole network. */
  maps: Iterable<MapFact>;
  channels: ChannelsFact | null;
}

/** One scale a channel; while a channel's own extremes aren't known yet, its layer's. */
export function scales(choice: Choice): (channel: number) => Scale {
  const { mode, map, channels } = choice;
  if (choice.scale === "map" && channels) {
    return (channel) => scaleFor(channels.minimum[channel] ?? null, channels.maximum[channel] ?? null, mode);
  }
  let [minimum, maximum] = [map.minimum, map.maximum];
  if (choice.scale === "network") {
    for (const other of choice.maps) {
      minimum = least(minimum, other.minimum, Math.min);
      maximum = least(maximum, other.maximum, Math.max);
    }
  }
  const scale = scaleFor(minimum, maximum, mode);
  return () => scale;
}

function least(a: number | null, b: number | null, of: (a: number, b: number) => number): number | null {
  return a === null ? b : b === null ? a : of(a, b);
}
