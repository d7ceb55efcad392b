/** Reductions over any axes: mean, sum, product, maximum, minimum. */
import type { Tensor } from "./operations";
import { maximum } from "./pooling";
import { grouped } from "./printing";
import { summed, summedSizes, times } from "./summing";
import { gather, meshOf, numbered } from "./tensor";
import { type Working, working } from "./working";

const FUNCTIONS = ["mean", "sum", "product", "max", "min"];

/** One value of a reduction over the input axes `over`; `null` for a function not known here. */
export function reduction(name: string, over: number[], index: number[], source: Tensor): Working | null {
  const rank = source.shape.length;
  if (!FUNCTIONS.includes(name) || (source.data.length === 0 && (name === "max" || name === "min"))) return null;
  if (index.length !== rank && index.length !== rank - over.length) return null;
  const kept = index.length === rank ? index.filter((_, axis) => !over.includes(axis)) : [...index];
  const axes = source.shape.map((size, axis) =>
    over.includes(axis) ? numbered(size) : Int32Array.of(kept.shift() as number),
  );
  const window = gather(source, axes);
  const places = meshOf(axes);
  if (name === "max" || name === "min") return maximum(window, places, name === "min");
  const count = window.data.length;
  const common = {
    rule: name,
    formula: `${name} of ${grouped(count)} values`,
    window,
    places,
    roundings: count + 2,
  };
  if (name === "product") {
    const total = window.data.reduce((made, value) => made * value, 1);
    const steps = [{ words: "product of all", value: total }];
    return working({ ...common, steps, total, magnitude: Math.abs(total) });
  }
  const kernel = new Float64Array(count).fill(name === "mean" ? 1 / count : 1);
  const products = times(window.data, kernel);
  const total = summed(window.data) / (name === "mean" ? count : 1);
  const steps = [{ words: `${name} of all`, value: total }];
  return working({ ...common, kernel, products, steps, total, magnitude: summedSizes(products) });
}
