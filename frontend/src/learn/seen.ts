/** Which layer of a person's network does what a lesson shows. */
import type { DerivationFact, LayerFact } from "../source/facts";
import type { Name } from "./lessons";
import { slideOf } from "./questions";
import type { Slide } from "./sizes";

export type Line = DerivationFact["lines"][number];

/** The layers that may do so, by their kind. */
const KINDS: Partial<Record<Name, string>> = { convolution: "convolution", padding: "convolution", stride: "convolution", dilation: "convolution", channels: "convolution", pooling: "pooling" };

/** What a slide must have for the lessons that are of one thing. */
const HAS: Partial<Record<Name, (slide: Slide) => boolean>> = {
  padding: ({ padding }) => padding > 0,
  stride: ({ stride }) => stride > 1,
  dilation: ({ dilation }) => dilation > 1,
};

/** Layers that are asked at most, so that a deep network isn't asked for all of them. */
const MOST = 40;

/** The lines of a derivation that show what the lesson shows; none where the layer doesn't do it. */
export function linesOf(name: Name, { lines }: DerivationFact): Line[] {
  const found = lines.filter(({ what }) => (name === "channels" ? what === "parameters" : /row|column|length/.test(what)));
  const has = HAS[name];
  return !has || found.some(({ terms }) => has(slideOf(terms) ?? { kernel: 1, stride: 1, dilation: 1, padding: 0 })) ? found : [];
}

/** The layer that is chosen, if it is of the lesson's kind, then the others in their order. */
export function candidates(name: Name, layers: readonly LayerFact[], chosen: LayerFact | null): LayerFact[] {
  const kind = KINDS[name];
  const fit = layers.filter((layer) => layer.kind === kind);
  return [...fit.filter((layer) => layer.name === chosen?.name), ...fit.filter((layer) => layer.name !== chosen?.name)].slice(0, MOST);
}
