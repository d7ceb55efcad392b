/** An explanation as a fact: the same JSON as the server gives, of a working that the page has done itself. */
import type { ExplanationFact, GroupFact, Num, TermFact } from "../source/facts";
import type { Described } from "./explaining";
import { leading } from "./leading";
import { agreement } from "./rounding";
import { summed } from "./summing";
import { broadcastIndex, flatIndex, indexOf, NO_AXIS, PADDING, product, spreadPlaces } from "./tensor";
import { overflows, tolerance, type Working } from "./working";

/** Terms that an explanation lists beside its groups. */
const TERMS = 40;

/** How one value came about, with the `groups` input channels of the largest sums. */
export function explanationFact(
  layer: Described,
  index: number[],
  frameworkValue: number,
  working: Working | null,
  groups: number,
): ExplanationFact {
  const common = {
    layer: layer.name,
    op: layer.op,
    kind: layer.kind,
    index: [...index],
    framework_value: num(frameworkValue),
  };
  if (!working) return { ...common, ...NOTHING, verdict: verdictOf(layer, frameworkValue, null, false) };
  const sumsIn = layer.sums_in ?? null;
  const allowed = tolerance(working, layer.dtype, sumsIn);
  const agrees = agreement(frameworkValue, working.total, allowed, overflows(working, layer.dtype, sumsIn));
  const shape = groupedShape(layer, working);
  return {
    ...common,
    explained: true,
    total: num(working.total),
    residual: num(residualOf(frameworkValue, working.total)),
    tolerance: num(allowed),
    agrees,
    verdict: verdictOf(layer, frameworkValue, working, agrees),
    rule: working.rule,
    formula: working.formula,
    bias: working.bias,
    activation: working.activation,
    steps: working.steps.map(({ words, value }) => ({ words, value: num(value) })),
    window_shape: [...working.window.shape],
    group_shape: shape ? [product(shape.slice(1, -1)), shape.at(-1) as number] : [],
    groups_total: shape?.[0] ?? 0,
    ...(shape ? groupsOf(layer, working, shape, groups) : { groups: [], folded_sum: null }),
    ...termsOf(layer, working),
  };
}

const NOTHING = {
  ...{ explained: false, total: null, residual: null, tolerance: 0, agrees: false, rule: null, formula: null },
  ...{ bias: null, activation: null, steps: [], window_shape: [], group_shape: [], groups: [], groups_total: 0 },
  ...{ folded_sum: null, terms: [], terms_total: 0 },
};

/** A number as JSON can hold it. */
export function num(value: number): Num {
  if (Number.isFinite(value)) return value;
  return Number.isNaN(value) ? "NaN" : value > 0 ? "Infinity" : "-Infinity";
}

function residualOf(theirs: number, total: number): number {
  return theirs === total || (Number.isNaN(theirs) && Number.isNaN(total)) ? 0 : theirs - total;
}

/** One sentence: does the explanation hold? */
function verdictOf(layer: Described, theirs: number, working: Working | null, agrees: boolean): string {
  if (!working)
    return `convlens doesn't know the arithmetic of ${layer.op} for these values, so it shows them and explains nothing.`;
  if (!agrees)
    return (
      "DISAGREES: the difference is larger than rounding can explain; the weights have changed since the run, " +
      "or the layer does something else than its description says"
    );
  if (Number.isFinite(theirs))
    return `agrees: the difference is within what ${layer.dtype} rounding can make of it`;
  if (Object.is(working.total, theirs)) return "agrees: both are the same, and no finite number";
  return `agrees: numbers on the way are too large for ${layer.sums_in ?? layer.dtype}`;
}

/** The window's shape with an axis of channels: a pooling's window, which lies in one channel, is one group. */
function groupedShape(layer: Described, working: Working): number[] | null {
  const { shape } = working.window;
  if (shape.length === working.places.length) return shape.length > 1 ? shape : null;
  return shape.length > 1 || layer.kind === "pooling" ? [1, ...shape] : null;
}

/** The windows over the input channels that add most, and what the others add up to. */
function groupsOf(
  layer: Described,
  working: Working,
  shape: number[],
  most: number,
): Pick<ExplanationFact, "groups" | "folded_sum"> {
  const count = shape[0] as number;
  const size = product(shape.slice(1));
  const { window, products } = working;
  const sums = products && Float64Array.from({ length: count }, (_, channel) => summed(products, channel * size, size));
  const sizes = Float64Array.from({ length: count }, (_, n) => {
    const found = sums ? Math.abs(sums[n] as number) : largestSize(window.data, n * size, (n + 1) * size);
    // NaN leads, then what is infinite, held to the largest number
    return Number.isNaN(found) ? Infinity : Math.min(found, Number.MAX_VALUE);
  });
  const order = leading(sizes, count);
  const listed = order.slice(0, most).map((channel): GroupFact => {
    const [first, last] = [channel * size, (channel + 1) * size];
    const [source] = spreadPlaces(working.inputs, window.shape, first, first + 1);
    return {
      channel,
      sum: sums && num(sums[channel] as number),
      window: listedOf(window.data, first, last),
      kernel: working.kernel && listedOf(working.kernel, first, last),
      products: products && listedOf(products, first, last),
      winners: working.winners && working.winners.slice(first, last),
      origins: originsOf(working, first, last),
      source: layer.inputs[source as number] as string,
    };
  });
  const rest = order.slice(most).map((channel) => (sums ? (sums[channel] as number) : 0));
  return { groups: listed, folded_sum: sums && rest.length > 0 ? num(summed(Float64Array.from(rest))) : null };
}

function largestSize(values: Float64Array, first: number, last: number): number {
  let largest = 0;
  for (let n = first; n < last; n++) largest = Math.max(largest, Math.abs(values[n] as number));
  return largest;
}

function listedOf(values: Float64Array, first: number, last: number): Num[] {
  const listed = new Array<Num>(last - first);
  for (let n = first; n < last; n++) listed[n - first] = num(values[n] as number);
  return listed;
}

/** Where the values stand in their source, `null` in the padding. */
function originsOf({ places, window }: Working, first: number, last: number): (number[] | null)[] {
  const axes = places.map((axis) => spreadPlaces(axis, window.shape, first, last));
  const origins = new Array<number[] | null>(last - first);
  for (let n = 0; n < origins.length; n++) {
    const place: number[] = [];
    let padded = false;
    for (const axis of axes) {
      const at = axis[n] as number;
      if (at >= 0) place.push(at);
      else padded ||= at === PADDING;
    }
    origins[n] = padded ? null : place;
  }
  return origins;
}

/** The values that entered, the largest contribution first; what decided, or is measured, before all. */
function termsOf(layer: Described, working: Working): Pick<ExplanationFact, "terms" | "terms_total"> {
  const { window, places, winners, focus } = working;
  const sizes = sizesOf(working);
  winners?.forEach((won, n) => {
    if (won) sizes[n] = Infinity;
  });
  if (focus !== null) sizes[focus] = Infinity;
  const inside = insideOf(working);
  const total = inside ? inside.reduce((sum, one) => sum + one, 0) : sizes.length;
  const terms = leading(sizes, TERMS, inside).map((flat): TermFact => {
    const at = indexOf(flat, window.shape);
    const found = (axis: Working["inputs"]) => axis.data[flatIndex(broadcastIndex(at, axis.shape), axis.shape)] as number;
    return {
      layer: layer.inputs[found(working.inputs)] as string,
      index: places.map(found).filter((place) => place !== NO_AXIS),
      value: num(window.data[flat] as number),
      weight: working.kernel && num(working.kernel[flat] as number),
      contribution: working.products && num(working.products[flat] as number),
    };
  });
  return { terms, terms_total: total };
}

function sizesOf({ rule, window, products }: Working): Float64Array {
  if (rule !== "softmax" && rule !== "log_softmax") return (products ?? window.data).map(Math.abs);
  // what takes a large share is large, not far from 0
  const largest = window.data.reduce((found, value) => Math.max(found, value), -Infinity);
  return window.data.map((value) => Math.exp(value - largest));
}

/** Which entries are real input values, 1 or 0; `null` where all are. */
function insideOf({ window, places, inputs }: Working): Uint8Array | null {
  const padded = [...places, inputs].filter((axis) => axis.data.includes(PADDING)); // a constant's number is -1 as well
  if (padded.length === 0) return null;
  const inside = new Uint8Array(window.data.length).fill(1);
  for (const axis of padded)
    spreadPlaces(axis, window.shape).forEach((place, n) => {
      if (place === PADDING) inside[n] = 0;
    });
  return inside;
}
