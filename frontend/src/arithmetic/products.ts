/** Sums of products with a matrix: dense layers. */
import { productsOf } from "./convolving";
import type { Dense, Tensor } from "./operations";
import type { Weights } from "./reading";
import { everywhere, gather, numbered, rowOf } from "./tensor";
import { type Working, working } from "./working";

/** One value of a dense layer: input x weight over all features, plus the bias. */
export function dense(operation: Dense, index: number[], source: Tensor, weights: Weights): Working {
  const axis = featureAxis(operation, source.shape);
  const aligned = index.length === source.shape.length;
  const at = aligned ? index : source.shape.map(() => 0);
  const unit = (aligned ? index[axis] : index[0]) as number;
  const features = numbered(source.shape[axis] as number);
  const values = gather(
    source,
    at.map((place, n) => (n === axis ? features : Int32Array.of(place))),
  ).data;
  const kernel = rowOf(weights.weight as Tensor, unit);
  const bias = weights.bias ? (weights.bias.data[unit] as number) : null;
  return working({
    rule: "dense",
    formula: `sum of input x weight${bias === null ? "" : " + bias"}`,
    window: { shape: [values.length], data: values },
    places: at.map((place, n) => (n === axis ? { shape: [features.length], data: features } : everywhere(place, 1))),
    ...productsOf(values, kernel, bias, "sum of input x weight"),
  });
}

/** The axis of the input along which a dense layer adds up. */
export function featureAxis(operation: Dense, shape: number[]): number {
  if (shape.length === 1 || !operation.per_position) return 0;
  return operation.features_axis ?? shape.length - 1;
}
