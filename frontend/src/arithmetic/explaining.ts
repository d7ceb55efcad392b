/** Which arithmetic a layer does: from its operation to the room that works it out, for one value. */
import { activation, pointwise } from "./activating";
import { convolution } from "./convolving";
import * as matrices from "./matrices";
import { known, merge } from "./merging";
import { joined, linesUp, moved, taken } from "./moving";
import { normalisation } from "./normalising";
import type { Operation, Tensor } from "./operations";
import { MODES, pooling } from "./pooling";
import { dense } from "./products";
import * as quantised from "./quantised";
import { asMerge, complete, type Operands, operandsOf, read, type Weights } from "./reading";
import { reduction } from "./reducing";
import { resized } from "./resizing";
import { localResponse } from "./responding";
import * as sharing from "./sharing";
import type { Working } from "./working";

/** A layer, as far as its arithmetic needs it. */
export interface Described {
  name: string;
  op: string;
  kind: string;
  inputs: string[];
  output_shape: number[];
  dtype: string;
  operation: Operation | null;
  /** The type in which the layer adds up, where it is known to be another than its own. */
  sums_in?: string | null;
}

/**
 * Takes one value of a layer apart: `index` is batchless and channels first, `sources` are the layer's inputs in the order
 * of `layer.inputs`, `weights` go by role. `null` for a layer whose arithmetic isn't known, or of whose values the
 * framework may make one thing or another: it is never guessed.
 */
export function explain(layer: Described, index: number[], sources: Tensor[], weights: Weights): Working | null {
  const working = worked(layer, index, sources, weights);
  return !working || working.unsettled || lostAtTheBorder(layer, working, sources) ? null : working;
}

/** Where nothing finite comes out, and the framework may have had a number: see Python's `lost_at_the_border`. */
function lostAtTheBorder({ dtype, sums_in }: Described, { total, roundings }: Working, sources: Tensor[]): boolean {
  const unrounded = dtype === "float16" && !sums_in;
  if (!(dtype === "float64" || unrounded) || Number.isFinite(total) || roundings <= 0) return false;
  const vanished = dtype === "float64" && !Number.isNaN(total);
  const strange = (value: number) => !Number.isFinite(value) && !(unrounded && Number.isNaN(value));
  return vanished || sources.some(({ data }) => data.some(strange));
}

function worked(layer: Described, index: number[], sources: Tensor[], weights: Weights): Working | null {
  const { operation, output_shape: outputs } = layer;
  if (!complete(operation, weights)) return null;
  if (operation?.type === "Convolution" || operation?.type === "Dense" || operation?.type === "Whole") {
    if (quantised.applies(operation, outputs, sources, weights))
      return quantised.explained(operation, index, layer, sources, weights);
  }
  if (operation?.type === "Whole" && matrices.FUNCTIONS.includes(operation.function))
    return matrices.product(operation.function, index, outputs, sources, weights);
  const entering = read(operation, sources, weights);
  const operands = operandsOf(entering, weights);
  if (!operands) return null;
  if (operation && (operands.values.length > 1 || operation.type === "Merge"))
    return ofSeveral(operation, outputs, index, operands);
  const [source] = entering;
  if (!source || entering.length !== 1) return null;
  const windowed = ofWindow(layer, index, source, weights);
  if (windowed !== undefined) return windowed;
  return weights.origin ? taken(index, source, weights.origin) : ofOne(layer, index, source, weights);
}

/** Layers that weigh, measure or change their input; `undefined` where this is none of them. */
function ofWindow(layer: Described, index: number[], source: Tensor, weights: Weights): Working | null | undefined {
  const { operation, output_shape: outputs, dtype } = layer;
  const rank = source.shape.length;
  const sameRank = index.length === rank;
  switch (operation?.type) {
    case "Convolution":
      if (!weights.kernel || !sameRank || rank !== 1 + operation.kernel_size.length) return undefined;
      return convolution(operation, index, source, weights);
    case "Pooling": {
      if (!MODES.includes(operation.mode) || rank !== 1 + operation.kernel_size.length) return undefined;
      const missing = new Array<number>(Math.max(0, rank - index.length)).fill(0);
      return pooling(operation, outputs.slice(1), [...index, ...missing], source);
    }
    case "Dense":
      return weights.weight ? dense(operation, index, source, weights) : undefined;
    case "Normalisation":
      if (!sameRank) return undefined;
      if (operation.mode === "local_response" && operation.constants.length > 0)
        return localResponse(operation, index, source);
      return normalisation(operation, index, source, weights);
    case "Activation":
      if (!sameRank) return undefined;
      if (operation.function === "glu") return sharing.gated(operation, index, source);
      if (operation.function === "hardmax") return sharing.hardmax(operation, index, source);
      if (sharing.FUNCTIONS.includes(operation.function)) return sharing.softmax(operation, index, source);
      return activation(operation, index, source, weights, dtype);
    default:
      return undefined;
  }
}

/** Layers that move values, resize, reduce, or work on each position alone. */
function ofOne(layer: Described, index: number[], source: Tensor, weights: Weights): Working | null {
  const { operation, output_shape: outputs, dtype } = layer;
  const sameRank = index.length === source.shape.length;
  switch (operation?.type) {
    case "Pad":
    case "Slice":
    case "Reshape":
      return moved(operation, index, outputs, source);
    case "Resize":
      return sameRank ? resized(operation, index, outputs, source) : null;
    case "Whole":
      return operation.axes.length > 0 ? reduction(operation, index, source) : null;
    case "Pointwise":
      if (operation.axes.length > 0) return reduction(operation, index, source);
      if (!sameRank) return null;
      if (quantised.FUNCTIONS.includes(operation.function) && weights.scale)
        return quantised.quantised(operation.function, index, dtype, source, weights);
      return pointwise(operation, index, source, weights, dtype);
    default:
      return null;
  }
}

function ofSeveral(operation: Operation, outputs: number[], index: number[], operands: Operands): Working | null {
  const merging = asMerge(operation, operands);
  if (merging.type !== "Merge") return null;
  if (merging.function === "concat" || merging.function === "stack")
    return linesUp(merging, outputs, operands) ? joined(merging, index, operands) : null;
  return known(merging, operands, outputs) ? merge(merging, index, operands) : null;
}
