/** Resizing: which source pixels a value is mixed from, and with which weights. */
import { asNumber, by, ceilOf, exactly, floorOf, fraction, HALF, minus, ONE, over, plus } from "./fraction";
import type { Fraction } from "./fraction";
import { constant } from "./moving";
import type { Resize, Tensor } from "./operations";
import { short } from "./printing";
import { toEven } from "./rounding";
import { summed, summedSizes, times } from "./summing";
import { gather, meshOf } from "./tensor";
import { type Working, working } from "./working";

const MODES = ["nearest", "linear", "cubic", "linear_antialias", "cubic_antialias"];
const single = Math.fround;

interface Mixture {
  positions: number[];
  weights: number[];
}

/** One value of a resize; `null` for modes and coordinates that aren't known here. */
export function resized(operation: Resize, index: number[], outputs: number[], source: Tensor): Working | null {
  const sizes = source.shape.slice(1);
  const beyond = index.slice(1).some((place, axis) => {
    if (operation.coordinates !== "crop") return false;
    const x = coordinate(operation, place, sizes[axis] as number, outputs[1 + axis] as number, axis);
    return x !== null && !(asNumber(x) >= 0 && asNumber(x) <= (sizes[axis] as number) - 1);
  });
  if (beyond)
    return constant(`outside the input: ${short(operation.outside)}`, operation.outside, index.length, 1);
  const axes = [Int32Array.of(index[0] as number)];
  let kernel = Float64Array.of(1);
  for (const [axis, place] of index.slice(1).entries()) {
    const found = mixture(operation, place, sizes[axis] as number, outputs[1 + axis] as number, axis);
    if (!found) return null;
    axes.push(Int32Array.from(found.positions));
    kernel = Float64Array.from(Array.from(kernel).flatMap((weight) => found.weights.map((share) => weight * share)));
  }
  const window = gather(source, axes);
  const products = times(window.data, kernel);
  const total = summed(products);
  const many = kernel.length > 1;
  const roundings = many ? 16 + 4 * Math.max(...sizes) : 0;
  // a weight that may be 0 or not, by a rounding, makes all the difference of an infinity or NaN
  const slight = (n: number) => Math.abs(kernel[n] as number) <= roundings * 2 ** -24;
  const magnitude = many ? summedSizes(window.data) : 0;
  return working({
    rule: many ? "interpolation" : "copy",
    formula: `${operation.mode}: ${many ? "sum of source pixels x weights" : "one source pixel"}`,
    window,
    kernel,
    products,
    places: meshOf(axes),
    steps: [{ words: "sum of source pixels x weights", value: total }],
    total,
    // A weight comes of a coordinate in float32: near position n it is off by up to n roundings of 1.
    roundings,
    magnitude,
    stored: magnitude,
    unsettled:
      many &&
      (((operation.coordinates === "crop" || source.shape.length === 2) && !source.data.every(Number.isFinite)) ||
        window.data.some((value, n) => !Number.isFinite(value) && slight(n)) || besideOdd(axes, outputs.slice(1), source)),
  });
}

/**
 * Whether a value is read beside one that isn't finite, along an axis that keeps its size: it may be multiplied by 0, or
 * left out.
 */
function besideOdd([channels, ...axes]: Int32Array[], outputs: number[], source: Tensor): boolean {
  if (source.data.every(Number.isFinite)) return false;
  const sizes = source.shape.slice(1);
  const kept = sizes.map((size, axis) => size > 1 && size === outputs[axis]);
  const own = gather(source, [channels as Int32Array, ...axes]).data;
  const places = axes.map((axis) => [...axis]).reduce<number[][]>(
    (made, axis) => made.flatMap((start) => axis.map((place) => [...start, place])),
    [[]],
  );
  return places.some((place, n) => {
    const around = place.map((at, axis) => {
      const size = sizes[axis] as number;
      return Int32Array.from(kept[axis] ? [(at + size - 1) % size, at, (at + 1) % size] : [at]);
    });
    const odd = gather(source, [channels as Int32Array, ...around]).data.filter((value) => !Number.isFinite(value));
    return odd.length > Number(!Number.isFinite(own[n] as number));
  });
}

/** The source positions of an output position along an axis, and their weights. */
function mixture(operation: Resize, place: number, size: number, outputs: number, axis: number): Mixture | null {
  if (!MODES.includes(operation.mode)) return null;
  if (operation.mode !== "cubic" && size === outputs) {
    const last = coordinate(operation, size - 1, size, outputs, axis);
    // frameworks copy along an axis that keeps its size, and don't touch the neighbours
    if (last && last.over === BigInt(size - 1) * last.under) return { positions: [place], weights: [1] };
  }
  const found = tapsAt(operation, place, size, outputs, axis);
  const inside = (at: number) => Math.min(Math.max(at, 0), size - 1);
  return found && { positions: found.positions.map(inside), weights: found.weights };
}

/** Where an output position lies on the input axis. */
function coordinate(operation: Resize, place: number, size: number, outputs: number, axis: number): Fraction | null {
  const scale = scaleOf(operation, size, outputs, axis);
  const half = () => minus(divided(operation, fraction(2 * place + 1, 2), scale), HALF);
  switch (operation.coordinates) {
    case "align_corners":
      return outputs > 1 ? fraction(place * (size - 1), outputs - 1) : fraction(0);
    case "half_pixel":
      return half();
    case "pytorch_half_pixel":
      return outputs > 1 ? half() : fraction(0);
    case "half_pixel_symmetric": {
      if (operation.coordinate_arithmetic === "scale")
        return symmetric(place, size, outputs, single(asNumber(scale)));
      const adjustment = over(fraction(outputs), by(fraction(size), scale));
      const offset = by(fraction(size, 2), minus(ONE, adjustment));
      return minus(plus(offset, over(fraction(2 * place + 1, 2), scale)), HALF);
    }
    case "asymmetric":
      return divided(operation, fraction(place), scale);
    case "crop": {
      const part = operation.crop[axis];
      return part ? cropped(part, place, size, outputs) : null;
    }
    default:
      return null;
  }
}

function scaleOf(operation: Resize, size: number, outputs: number, axis: number): Fraction {
  const stated = operation.scale[axis];
  return stated ? fraction(...stated) : fraction(outputs, size);
}

/** The coordinate within a part of the axis, in float32. */
function cropped(part: [number, number], place: number, size: number, outputs: number): Fraction {
  const start = single(part[0]);
  const end = single(part[1]);
  const last = single(size - 1);
  if (outputs === 1) return exactly(single(single(0.5 * single(start + end)) * last));
  const moved = single(single(single(single(place) * single(end - start)) * last) / single(outputs - 1));
  return exactly(single(single(start * last) + moved));
}

/** The coordinate around the middle of the axis as ONNX Runtime rounds it: the offset in float32, the sum at the end. */
function symmetric(place: number, size: number, outputs: number, scale: number): Fraction {
  const adjustment = single(single(outputs) / single(scale * single(size)));
  const offset = single(single(single(size) / 2) * single(1 - adjustment));
  return exactly(single(offset + (place + 0.5) / scale - 0.5));
}

/** `place / scale`, with the float32 roundings of the framework where it chooses a pixel by them. */
function divided(operation: Resize, place: Fraction, scale: Fraction): Fraction {
  const at = single(asNumber(place));
  if (operation.coordinate_arithmetic === "step") return exactly(single(at * single(asNumber(over(ONE, scale)))));
  if (operation.coordinate_arithmetic === "scale") return exactly(single(at / single(asNumber(scale))));
  return over(place, scale);
}

function tapsAt(operation: Resize, place: number, size: number, outputs: number, axis: number): Mixture | null {
  let x = coordinate(operation, place, size, outputs, axis);
  if (!x) return null;
  if (operation.mode === "nearest") return { positions: [nearest(settled(operation, x), operation.rounding)], weights: [1] };
  if (operation.mode.endsWith("_antialias"))
    return widened(operation, x, Math.min(asNumber(scaleOf(operation, size, outputs, axis)), 1), size);
  if (operation.mode === "linear" && x.over < 0n) x = fraction(0); // in front of the first pixel the second doesn't count
  const first = floorOf(x);
  let share = asNumber(minus(x, fraction(first)));
  if (operation.mode === "linear") return { positions: [first, first + 1], weights: [1 - share, share] };
  if (operation.cubic_steps) share = toEven(share * operation.cubic_steps) / operation.cubic_steps;
  const positions = [-1, 0, 1, 2].map((n) => first + n);
  const weights = [1 + share, share, 1 - share, 2 - share].map((at) => cubic(at, operation.cubic_coefficient));
  return { positions, weights: operation.exclude_outside ? onlyInside(positions, weights, size) : weights };
}

/** What lies outside has no weight, and the others are raised to a sum of 1. */
function onlyInside(positions: number[], weights: number[], size: number): number[] {
  return shares(weights.map((weight, n) => ((positions[n] as number) >= 0 && (positions[n] as number) < size ? weight : 0)));
}

function shares(weights: number[]): number[] {
  const sum = weights.reduce((made, weight) => made + weight, 0);
  return weights.map((weight) => weight / (sum || 1)); // nothing is inside of a window beyond the input
}

/** The window of a filter that is stretched by `1 / scale`: as many pixels as a reduced one stands for. */
function widened(operation: Resize, x: Fraction, scale: number, size: number): Mixture {
  const linear = operation.mode === "linear_antialias";
  const start = Math.floor(-(linear ? 1 : 2) / scale) + 1;
  const first = floorOf(x);
  const share = asNumber(minus(x, fraction(first)));
  const steps = Array.from({ length: Math.max(0, 2 - 2 * start) }, (_, n) => start + n);
  const weights = steps.map((n) => {
    const distance = Math.abs(scale * (n - share));
    return linear ? Math.max(0, 1 - distance) : cubic(distance, operation.cubic_coefficient);
  });
  const positions = steps.map((n) => first + n);
  return { positions, weights: operation.exclude_outside ? onlyInside(positions, weights, size) : shares(weights) };
}

/** The cubic filter at a distance. Source: R. Keys, "Cubic Convolution Interpolation for Digital Image Processing", 1981. */
function cubic(distance: number, a: number): number {
  if (distance >= 2) return 0;
  if (distance >= 1) return ((a * distance - 5 * a) * distance + 8 * a) * distance - 4 * a;
  return ((a + 2) * distance - (a + 3)) * distance * distance + 1;
}

/** How near to a half ONNX Runtime takes a coordinate for one. */
const TIE = 1e-6;

/** A coordinate as it is compared: within a hair of a half it is one. */
function settled(operation: Resize, x: Fraction): Fraction {
  if (operation.coordinate_arithmetic !== "scale" || !operation.rounding.startsWith("round")) return x;
  const half = plus(fraction(floorOf(x)), HALF);
  return Math.abs(asNumber(minus(x, half))) < TIE ? half : x;
}

function nearest(x: Fraction, rounding: string): number {
  if (rounding === "floor") return floorOf(x);
  if (rounding === "ceil") return ceilOf(x);
  return rounding === "round_prefer_ceil" ? floorOf(plus(x, HALF)) : ceilOf(minus(x, HALF));
}
