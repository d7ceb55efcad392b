/** Reductions over any axes: mean, sum, product, maximum, minimum. */
import type { Pointwise, Tensor, Whole } from "./operations";
import { maximum } from "./pooling";
import { grouped } from "./printing";
import { SMALLEST } from "./rounding";
import { summed, summedSizes, times } from "./summing";
import { gather, meshOf, numbered } from "./tensor";
import { type Working, working } from "./working";

const FUNCTIONS = ["mean", "sum", "product", "max", "min"];
/** Factors that together make less multiply what is lost below the normal range by no more than the bound has room for. */
const SHOWS = 2;

/** One value of a reduction over input axes; `null` for a function not known here. */
export function reduction(operation: Pointwise | Whole, index: number[], source: Tensor): Working | null {
  const { function: name, axes: over } = operation;
  const rank = source.shape.length;
  if (!FUNCTIONS.includes(name) || (source.data.length === 0 && (name === "max" || name === "min"))) return null;
  if (index.length !== rank && index.length !== rank - over.length) return null;
  const kept = index.length === rank ? index.filter((_, axis) => !over.includes(axis)) : [...index];
  const axes = source.shape.map((size, axis) =>
    over.includes(axis) ? numbered(size) : Int32Array.of(kept.shift() as number),
  );
  const window = gather(source, axes);
  const places = meshOf(axes);
  if (name === "max" || name === "min") {
    const found = maximum(window, places, name === "min");
    return { ...found, unsettled: !operation.settles_nan && Number.isNaN(found.total) };
  }
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
    // of the factors in any order: the least and the largest product on the way
    const sizes = window.data.map(Math.abs);
    const least = sizes.reduce((made, size) => made * Math.min(size, 1), 1);
    const peak = sizes.reduce((made, size) => made * Math.max(size, 1), 1);
    const unsettled = least > 0 && least < SMALLEST && peak > SHOWS;
    return working({ ...common, steps, total, magnitude: Math.abs(total), roundings: 2 * (count + 2), peak, unsettled });
  }
  const kernel = new Float64Array(count).fill(name === "mean" ? 1 / count : 1);
  const products = times(window.data, kernel);
  const total = summed(window.data) / (name === "mean" ? count : 1);
  const steps = [{ words: `${name} of all`, value: total }];
  const [magnitude, peak] = [summedSizes(products), summedSizes(window.data)];
  return working({ ...common, kernel, products, steps, total, magnitude, peak });
}
