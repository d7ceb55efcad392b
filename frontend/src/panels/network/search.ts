/** Which layers a person means: by name, operation, kind or shape, however the shape's "by" is written. */
import type { LayerFact } from "../../source/facts";

const plain = (text: string) => text.toLowerCase().replace(/(\d)\s*[x×*]\s*(?=\d)/g, "$1×");

export function matches(layer: LayerFact, query: string): boolean {
  const text = plain([layer.name, layer.op, layer.kind, layer.output_shape.join("×")].join("\n"));
  return plain(query.trim()).split(/\s+/).every((word) => text.includes(word));
}

/** All that match, in the network's order, but a layer of exactly this name first. */
export function search(layers: readonly LayerFact[], query: string): LayerFact[] {
  const exact = (layer: LayerFact) => (layer.name.toLowerCase() === query.trim().toLowerCase() ? 0 : 1);
  return layers.filter((layer) => matches(layer, query)).sort((a, b) => exact(a) - exact(b));
}
