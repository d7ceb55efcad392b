/** Quantised layers: whole numbers that stand for real ones, real = scale * (integer - zero point). */
import { convolution } from "./convolving";
import { product } from "./matrices";
import type { Convolution, Dense, Tensor, Whole } from "./operations";
import { general, short, whole } from "./printing";
import { dense, featureAxis } from "./products";
import type { Weights } from "./reading";
import { toEven } from "./rounding";
import { summed, times } from "./summing";
import { broadcastIndex, PADDING, spreadPlaces, valueAt } from "./tensor";
import { single, type Working } from "./working";

type Product = Convolution | Dense | Whole;

export const FUNCTIONS = ["quantise", "dequantise"];
/** Roundings of a sum's way to the output's unit: three of the factor, one of the sum as a real number, two products. */
const SCALING = 6;

/** What a sum becomes: the factor to the output's unit, its zero point, the least and the largest integer. */
interface Target {
  factor: number;
  zeroPoint: number;
  limits: [number, number];
  words: string;
}

/** Whether these are the weights of a quantised layer, whose input has the axes that it needs. */
export function applies(operation: Product, outputs: number[], sources: Tensor[], weights: Weights): boolean {
  const [source] = sources;
  if (!source) return false;
  if (operation.type === "Convolution") {
    const rank = 1 + operation.kernel_size.length;
    return "kernel_integers" in weights && source.shape.length === rank && outputs.length === rank;
  }
  if (operation.type === "Whole") return "right_integers" in weights && operation.function === "matrix_product";
  return "weight_integers" in weights;
}

/** One value of a quantised convolution or dense layer; `null` where its zero points aren't known. */
export function explained(
  operation: Product,
  index: number[],
  layer: { output_shape: number[]; dtype: string },
  sources: Tensor[],
  given: Weights,
): Working | null {
  const [source, computed] = sources as [Tensor, Tensor | undefined];
  // a zero point that the network itself computed is the second input of a dynamic layer
  const weights: Weights = computed && !given.input_zero_point ? { ...given, input_zero_point: computed } : given;
  const zero = numberOf(weights, "input_zero_point", 0);
  if (zero === null) return null;
  const plain = inWholeNumbers(operation, index, layer.output_shape, source, weights);
  if (!plain?.kernel) return null;
  const { kernel } = plain;
  const outside = plain.places.map((axis) => spreadPlaces(axis, plain.window.shape));
  const data = plain.window.data.map((value, n) => (outside.some((axis) => axis[n] === PADDING) ? zero : value));
  const terms = times(data, kernel);
  const unit = unitOf(operation, index, source.shape);
  const sum = summed(terms);
  const correction = zero * summed(kernel);
  const bias = weights.bias_integers ? (weights.bias_integers.data[unit] as number) : null;
  const steps = [{ words: "sum of window x kernel, in whole numbers", value: sum }];
  if (zero !== 0)
    steps.push({ words: `- zero point of the input (${short(zero)}) x sum of kernel`, value: sum - correction });
  if (bias !== null) steps.push({ words: `+ bias (${whole(bias)})`, value: sum - correction + bias });
  const added = (bias ?? 0) - correction;
  const made: Working = {
    ...plain,
    rule: `quantised ${plain.rule}`,
    formula: `sum of (window - zero point) x kernel${bias === null ? "" : " + bias"}`,
    window: { shape: plain.window.shape, data },
    products: terms,
    bias: zero !== 0 || bias !== null ? added : null,
    total: sum + added,
    roundings: 1,
    magnitude: 0,
    stored: 0,
    steps,
  };
  const target = weights.output_scale ? targetOf(weights, unit, layer.dtype) : null;
  return target ? inUnits(made, target) : made;
}

function inWholeNumbers(
  operation: Product,
  index: number[],
  outputs: number[],
  source: Tensor,
  weights: Weights,
): Working | null {
  if (operation.type === "Convolution")
    return convolution(operation, index, source, { kernel: weights.kernel_integers as Tensor });
  if (operation.type === "Dense") return dense(operation, index, source, { weight: weights.weight_integers as Tensor });
  return product(operation.function, index, outputs, [source], { operand1: weights.right_integers as Tensor });
}

/** One value that is made a whole number, or one that is made real again. */
export function quantised(
  name: string,
  index: number[],
  dtype: string,
  source: Tensor,
  weights: Weights,
): Working | null {
  const limits = limitsOf(dtype);
  if (name === "quantise" && !limits) return null;
  const at = (part: Tensor | undefined, otherwise: number) =>
    part ? (part.data.length === 1 ? (part.data[0] as number) : valueAt(part, broadcastIndex(index, part.shape))) : otherwise;
  const scale = at(weights.scale, 1);
  const zero = at(weights.zero_point, 0);
  const value = valueAt(source, index);
  if (name === "dequantise") {
    const total = (value - zero) * scale;
    const steps = [
      { words: `integer - zero point (${short(zero)})`, value: value - zero },
      { words: `x scale (${general(scale)})`, value: total },
    ];
    const more = { steps, roundings: 3, magnitude: Math.abs(total) };
    return single("dequantise", "(integer - zero point) x scale", value, total, index, more);
  }
  const words = `x / scale (${general(scale)})`;
  const target = { factor: 1 / scale, zeroPoint: zero, limits: limits as [number, number], words };
  return { ...inUnits(single("quantise", "x / scale", value, value, index), target), accumulated: null };
}

/** The least and the largest number of a type of whole numbers; `null` for other types. */
export function limitsOf(dtype: string): [number, number] | null {
  const [, sign, bits] = /^(u?)int(\d+)$/.exec(dtype) ?? [];
  if (bits === undefined) return null;
  return sign ? [0, 2 ** Number(bits) - 1] : [-(2 ** (Number(bits) - 1)), 2 ** (Number(bits) - 1) - 1];
}

/** The sum brought to the output's unit, rounded and held within its type. */
function inUnits(plain: Working, target: Target): Working {
  const real = plain.total * target.factor;
  const [least, most] = target.limits;
  const held = (number: number) => Math.min(Math.max(toEven(number) + target.zeroPoint, least), most);
  // a number so near to a half that the framework's roundings may take it across can become the one or the other
  const reach = Math.abs(real) * SCALING * 2 ** -24;
  const nearest = toEven(real);
  const total = held(real);
  const steps = [
    ...plain.steps,
    { words: target.words, value: real },
    { words: "rounded to the nearest whole number, halves to the even one", value: nearest },
  ];
  if (target.zeroPoint !== 0)
    steps.push({
      words: `+ zero point of the output (${short(target.zeroPoint)})`,
      value: nearest + target.zeroPoint,
    });
  if (total !== nearest + target.zeroPoint)
    steps.push({ words: `held within ${whole(least)} to ${whole(most)}`, value: total });
  return {
    ...plain,
    formula: `${plain.formula}, scaled, rounded`,
    steps,
    accumulated: plain.total,
    total,
    astray: held(real + reach) - held(real - reach),
    unsettled: Number.isNaN(real), // as a whole number NaN is whatever the processor makes of it
  };
}

function targetOf(weights: Weights, unit: number, dtype: string): Target | null {
  const limits = limitsOf(dtype);
  if (!limits) return null;
  const into = numberOf(weights, "input_scale", 1) || 1;
  const out = numberOf(weights, "output_scale", 1) || 1;
  const scales = (weights.kernel_scale as Tensor).data;
  const kernel = scales[scales.length === 1 ? 0 : unit] as number;
  const factor = (into * kernel) / out;
  const parts = `${general(factor)} = input ${general(into)} x kernel ${general(kernel)} / output ${general(out)}`;
  return { factor, zeroPoint: numberOf(weights, "output_zero_point", 0) ?? 0, limits, words: `x scale (${parts})` };
}

/** A weight that is one number; `null` where it is several. */
function numberOf(weights: Weights, role: string, otherwise: number): number | null {
  const found = weights[role];
  if (!found) return otherwise;
  return found.data.length === 1 ? (found.data[0] as number) : null;
}

/** Which filter or unit makes the value at `index`. */
function unitOf(operation: Product, index: number[], shape: number[]): number {
  if (operation.type === "Whole") return index.at(-1) as number;
  if (operation.type === "Convolution" || index.length !== shape.length) return index[0] as number;
  return index[featureAxis(operation, shape)] as number;
}
