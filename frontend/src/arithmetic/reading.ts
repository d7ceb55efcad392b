/** What of a layer's inputs and weights its arithmetic reads. */
import type { Operation, Tensor } from "./operations";

const OF_ONE = ["Convolution", "Dense", "Normalisation", "Pooling", "Pad", "Slice", "Reshape", "Resize"];

/** A layer's weights, by role. */
export type Weights = Record<string, Tensor>;

/** The values that enter: a layer that reads one has sizes and weights as its others. */
export function read(operation: Operation | null, sources: Tensor[], weights: Weights): Tensor[] {
  const one = (operation !== null && OF_ONE.includes(operation.type)) || "origin" in weights;
  return one ? sources.slice(0, 1) : sources;
}

/** Whether the weights are all there that the arithmetic needs, and say all that the layer does. */
export function complete(operation: Operation | null, weights: Weights): boolean {
  const biased = (operation?.type === "Convolution" || operation?.type === "Dense") && operation.bias;
  return !("fused" in weights) && (!biased || "bias" in weights);
}
