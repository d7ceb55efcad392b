/** A walk from model to model: which models it goes through, and where one arrives in the next. */
import type { FieldFact, LayerFact, ModelFact, NetworkFact, SessionFact } from "../source/facts";
import type { View } from "./view.svelte";

/** The models that a walk goes through, in their order; none where there are fewer than two to walk between. */
export function stepsOf(session: SessionFact | null): ModelFact[] {
  const steps = (session?.models ?? []).filter((model) => model.title !== null);
  return steps.length > 1 ? steps : [];
}

/** The step that is shown, from 0; -1 where the shown model isn't one. */
export function stepOf(view: View): number {
  return stepsOf(view.session).findIndex((model) => model.id === view.model);
}

/** Goes `by` steps on. Returns false where the walk ends. */
export function walk(view: View, by: number): boolean {
  const at = stepOf(view);
  const next = at < 0 ? undefined : stepsOf(view.session)[at + by];
  if (next) void view.chooseModel(next.id);
  return next !== undefined;
}

export interface Standing {
  layer: LayerFact;
  channel: number;
  pixel: [number, number] | null;
}

/**
 * Where somebody who stands in one network arrives in another: the last layer stays the last, since that is where the
 * networks differ; any other becomes the one of its name and kind, or of its kind. Null where there is none.
 */
export function arriveAt(from: NetworkFact, standing: Standing, to: NetworkFact): { layer: string; channel: number; at: [number, number] | null } | null {
  const layer = counterpart(from, standing.layer, to);
  if (!layer) return null;
  const at = standing.pixel && samePlace(standing.layer, standing.pixel, layer);
  return { layer: layer.name, channel: Math.min(standing.channel, (layer.output_shape[0] ?? 1) - 1), at };
}

function counterpart(from: NetworkFact, layer: LayerFact, to: NetworkFact): LayerFact | undefined {
  if (from.layers.at(-1)?.name === layer.name) return to.layers.at(-1);
  const alike = to.layers.filter((one) => one.kind === layer.kind);
  const number = from.layers.filter((one) => one.kind === layer.kind).indexOf(layer);
  return alike.find((one) => one.name === layer.name) ?? alike[number] ?? alike.at(-1);
}

/** The pixel of `to` that looks at the same place of the picture; null where that isn't known. */
function samePlace(from: LayerFact, pixel: [number, number], to: LayerFact): [number, number] | null {
  const [here, there] = [from.receptive_field, to.receptive_field];
  const sizes = to.output_shape.slice(-2);
  if (!here || !there || from.output_shape.length !== 3 || to.output_shape.length !== 3) return null;
  const [row, column] = ([0, 1] as const).map((axis) => {
    const found = Math.round((centre(here, axis) + pixel[axis] * (here.stride[axis] ?? 1) - centre(there, axis)) / (there.stride[axis] || 1));
    return Math.min(Math.max(found, 0), (sizes[axis] ?? 1) - 1);
  });
  return row === undefined || column === undefined ? null : [row, column];
}

/** The middle of what the first value sees along an axis. */
const centre = (field: FieldFact, axis: 0 | 1) => ((field.start[axis] ?? 0) + (field.end[axis] ?? 0)) / 2;
