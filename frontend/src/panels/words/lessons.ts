/** Which lesson says why a number of a network is what it is. */
import type { LayerFact } from "../../source/facts";
import { t } from "../../words";

/** The lesson's name in an address, and the question that it answers. */
export type Question = [lesson: string, words: string];

/** The questions that a layer's own numbers raise. */
export function questionsOf(layer: LayerFact): Question[] {
  const field: Question[] = layer.receptive_field && layer.output_shape.length > 1 ? [["field", t("learn.why.field")]] : [];
  switch (layer.kind) {
    case "convolution":
      return [sizeOf(layer), parametersOf(layer.parameters), ...field];
    case "pooling":
      return [["pooling", t("learn.why.pooling")], ...field];
    case "activation":
      return [["activation", t("learn.why.activation")]];
    case "dense":
      return [["dense", t("learn.why.dense")]];
    default:
      return [];
  }
}

/** Why a network's output has its size: the last layer that changes sizes made it so. */
export function whyOutput(layers: readonly LayerFact[]): Question | null {
  const maker = layers.findLast(({ kind }) => kind !== "activation" && kind !== "normalisation");
  if (maker?.kind === "dense") return ["dense", t("learn.why.dense")];
  return maker && (maker.kind === "convolution" || maker.kind === "pooling") ? sizeOf(maker) : null;
}

/** Why a network has as many parameters. */
export function whyParameters(layers: readonly LayerFact[], parameters: number): Question | null {
  return layers.some(({ kind }) => kind === "convolution") ? parametersOf(parameters) : null;
}

function sizeOf({ kind, output_shape }: LayerFact): Question {
  return [kind === "pooling" ? "pooling" : "convolution", t("learn.why.convolution", { shape: output_shape.slice(1).join(" × ") })];
}

function parametersOf(parameters: number): Question {
  return ["channels", t("learn.why.channels", { parameters: String(parameters) })];
}
