/** Pooling: which input won, the mean over the real divisor, the p-norm. */
import type { Pooling, Tensor } from "./operations";
import { power, real } from "./functions";
import { short } from "./printing";
import { SMALLEST } from "./rounding";
import { largestOf, smallestOf, summed, summedSizes, times } from "./summing";
import { everywhere, type Grid, gather, meshOf, numbered, product, type Places } from "./tensor";
import { adaptiveWindow, tapsAt } from "./windows";
import { type Working, working } from "./working";

export const MODES = ["max", "average", "lp"];

/** One value of a pooling. `outputs`: the spatial sizes that it makes, from which adaptive windows follow. */
export function pooling(operation: Pooling, outputs: number[], index: number[], source: Tensor): Working {
  const sizes = source.shape.slice(1);
  const axes = sizes.map((size, axis) => tapsOf(operation, axis, size, outputs[axis] ?? 1, index[1 + axis] as number));
  const least = real(operation.least);
  const channel = index[0] as number;
  const { data } = gather(source, [Int32Array.of(channel), ...axes], operation.mode === "max" ? least : 0);
  const window = { shape: axes.map((axis) => axis.length), data };
  const places = [everywhere(channel, axes.length), ...meshOf(axes)];
  if (operation.mode === "max") return largest(operation, window, places);
  if (operation.mode === "lp") return norm(operation.power, window, places);
  const divisor = operation.divisor ?? divisorOf(operation, outputs, sizes, index.slice(1));
  const kernel = new Float64Array(data.length).fill(1 / divisor);
  const products = times(data, kernel);
  const sum = summed(data);
  return working({
    rule: "mean",
    formula: `sum of window / ${divisor}`,
    window,
    kernel,
    products,
    places,
    steps: [
      { words: "sum of window", value: sum },
      { words: `/ ${divisor}`, value: sum / divisor },
    ],
    total: sum / divisor,
    roundings: data.length + 2,
    magnitude: summedSizes(products),
    peak: summedSizes(data),
  });
}

/** The largest value of a window, or the smallest; NaN wins over both. */
export function maximum(window: Grid, places: Places[], smallest = false): Working {
  const best = smallest ? smallestOf(window.data) : largestOf(window.data);
  const winners = new Array<boolean>(window.data.length);
  let ties = 0;
  for (let n = 0; n < winners.length; n++) {
    const value = window.data[n] as number;
    winners[n] = Number.isNaN(best) ? Number.isNaN(value) : value === best;
    ties += Number(winners[n]);
  }
  const word = smallest ? "smallest" : "largest";
  return working({
    rule: smallest ? "minimum" : "maximum",
    formula: `${word} value of the window`,
    window,
    places,
    steps: [{ words: `the ${word} value${ties > 1 ? `, ${ties} times` : ""}`, value: best }],
    total: best,
    winners,
    roundings: 0,
  });
}

function largest(operation: Pooling, window: Grid, places: Places[]): Working {
  const passed = operation.ignores_nan;
  const compared = passed ? window.data.map((value) => (Number.isNaN(value) ? -Infinity : value)) : window.data;
  const found = { ...maximum({ shape: window.shape, data: compared }, places), window };
  const least = real(operation.least);
  const onlyNan = passed && window.data.some((value, n) => found.winners?.[n] === true && Number.isNaN(value));
  if (!(found.total < least) && !onlyNan)
    return { ...found, unsettled: !operation.settles_nan && Number.isNaN(found.total) };
  const steps = [{ words: "nothing larger than what it begins with", value: least }];
  return { ...found, total: least, winners: null, steps };
}

function norm(exponent: number, window: Grid, places: Places[]): Working {
  const powers = window.data.map((value) => power(Math.abs(value), exponent));
  const sum = summed(powers);
  const total = power(sum, 1 / exponent);
  const words = short(exponent);
  return working({
    rule: "norm",
    formula: `(sum of |window|^${words})^(1/${words})`,
    window,
    places,
    steps: [
      { words: `sum of |window|^${words}`, value: sum },
      { words: `^(1/${words})`, value: total },
    ],
    total,
    roundings: window.data.length + 16,
    magnitude: total,
    astray: vanished(sum, window.data.length, exponent),
    peak: summedSizes(powers),
  });
}

/** How much of a norm goes where powers are too small for their type, or lose digits to it. */
function vanished(sum: number, count: number, exponent: number): number {
  const least = count * SMALLEST;
  return Number.isFinite(sum) ? power(sum + least, 1 / exponent) - power(Math.max(sum - least, 0), 1 / exponent) : 0;
}

function tapsOf(operation: Pooling, axis: number, size: number, outputs: number, place: number): Int32Array {
  if (operation.whole) return numbered(size);
  return operation.adaptive ? adaptiveWindow(place, size, outputs) : tapsAt(operation, axis, size, place);
}

/** What an average divides by: the real values of its window, and the stated padding where that counts. */
function divisorOf(operation: Pooling, outputs: number[], sizes: number[], index: number[]): number {
  if (operation.whole) return product(sizes);
  const counts = outputs.map((count, axis) => {
    const size = sizes[axis] as number;
    const place = index[axis] as number;
    if (operation.adaptive) return adaptiveWindow(place, size, count).length;
    const [before, after] = operation.padding[axis] as [number, number];
    const counted = operation.count_include_pad || operation.padding_mode !== "zeros";
    const [low, high] = counted ? [-before, size + after] : [0, size];
    const first = place * (operation.stride[axis] as number) - before;
    const taps = numbered(operation.kernel_size[axis] as number).map(
      (tap) => first + tap * (operation.dilation[axis] as number),
    );
    return taps.filter((at) => at >= low && at < high).length;
  });
  return Math.max(product(counts), 1);
}
