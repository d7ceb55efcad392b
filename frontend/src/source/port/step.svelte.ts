/** Keeps a notebook's Python and the page in step: what is chosen here is told there, what is chosen there is shown here. */
import { format, parse } from "../../state/address";
import { preferences } from "../../state/preferences.svelte";
import type { View } from "../../state/view.svelte";
import type { Opening } from "../port";
import type { Line, Shown } from "./line";

/** The address of what the cell opens with. */
export function addressOf(opening: Opening): string {
  const { layer, channel, pixel, tab } = opening;
  return format({ ...parse(""), layer: layer || null, channel, at: pixel, tab });
}

export function keepInStep(view: View, line: Line): () => void {
  line.ontheme = (theme) => (preferences.host = theme);
  line.onshow = ({ layer, channel, pixel }: Shown) => {
    void view.goTo(format({ ...parse(view.address), layer: layer || null, channel, slice: 0, at: pixel }));
  };
  return $effect.root(() => {
    $effect(() => {
      const { layer, channel, pixel } = view;
      if (layer !== null) line.tell({ layer, channel, pixel });
    });
  });
}
