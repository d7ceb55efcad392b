/** Convolution, and transposed convolution in gather form: window x kernel, added up, plus the bias. */
import type { Convolution, Tensor } from "./operations";
import type { Weights } from "./reading";
import { finiteSize, summed, summedSizes, times } from "./summing";
import { gather, meshOf, numbered, PADDING, type Places, rowOf, spreadPlaces } from "./tensor";
import { tapsAt } from "./windows";
import { type Working, working } from "./working";

/** One value of a convolution. */
export function convolution(operation: Convolution, index: number[], source: Tensor, weights: Weights): Working {
  const filter = index[0] as number;
  const perGroup = Math.floor(operation.in_channels / operation.groups);
  const first = Math.floor(filter / Math.floor(operation.filters / operation.groups)) * perGroup;
  const taps = index.slice(1).map((at, axis) => tapsAt(operation, axis, source.shape[1 + axis] as number, at));
  const axes = [numbered(perGroup, first), ...taps];
  const window = gather(source, axes);
  const places = meshOf(axes);
  const kernel = rowOf(weights.kernel as Tensor, filter);
  const name = operation.transposed ? "transposed convolution" : "convolution";
  const bias = weights.bias ? (weights.bias.data[filter] as number) : null;
  return working({
    rule: name,
    formula: `sum of window x kernel${bias === null ? "" : " + bias"}`,
    window,
    places,
    ...productsOf(window.data, kernel, bias, "sum of window x kernel"),
    unsettled: touchesPadding(kernel, places, window.shape),
  });
}

/** Whether a weight that isn't finite lies beside the map: some frameworks multiply it by 0, others leave it out. */
function touchesPadding(kernel: Float64Array, places: Places[], shape: number[]): boolean {
  if (kernel.every(Number.isFinite)) return false;
  return places.some((axis) =>
    spreadPlaces(axis, shape).some((place, n) => place === PADDING && !Number.isFinite(kernel[n] as number)),
  );
}

/** What a sum of products with a bias says of itself. */
export function productsOf(
  window: Float64Array,
  kernel: Float64Array,
  bias: number | null,
  words: string,
): Pick<Working, "kernel" | "products" | "bias" | "steps" | "total" | "roundings" | "magnitude" | "stored"> {
  const products = times(window, kernel);
  const sum = summed(products);
  const total = sum + (bias ?? 0);
  const steps = [{ words, value: sum }];
  if (bias !== null) steps.push({ words: "+ bias", value: total });
  return {
    kernel,
    products,
    bias,
    steps,
    total,
    roundings: window.length + 2,
    magnitude: summedSizes(products) + finiteSize(bias ?? 0),
    stored: bias === null ? 0 : Math.abs(sum),
  };
}
