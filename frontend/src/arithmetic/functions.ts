/** The formulas of the activations, in float64. */
import type { Num } from "../source/facts";
import { erf } from "./erf";
import type { Activation } from "./operations";
import { general } from "./printing";
import { toEven } from "./rounding";

type Constants = Record<string, number>;

interface Function {
  formula: string;
  compute: (x: number, constants: Constants) => number;
}

/** A number from the wire, where what JSON can't hold travels as its name. */
export function real(value: Num): number {
  return Number(value);
}

/** `base ^ exponent` as NumPy has it: 1 to any power is 1, so is -1 to an infinite one, and 0.5 makes a square root. */
export function power(base: number, exponent: number): number {
  if (base === 1 || (base === -1 && (exponent === Infinity || exponent === -Infinity))) return 1;
  return exponent === 0.5 ? Math.sqrt(base) : Math.pow(base, exponent);
}

/** `1 / (1 + exp(-x))`, without overflow on either side. */
export function sigmoid(x: number): number {
  const small = Math.exp(-Math.abs(x));
  return x >= 0 ? 1 / (1 + small) : small / (1 + small);
}

/** `log(1 + exp(x))`, without overflow. */
function softplus(x: number): number {
  if (x === 0) return Math.LN2;
  return x > 0 ? x + Math.log1p(Math.exp(-x)) : Math.log1p(Math.exp(x));
}

function held(x: number, least: number, most: number): number {
  return Math.min(Math.max(x, least), most);
}

function elu(x: number, alpha: number): number {
  return x > 0 ? x : alpha * Math.expm1(Math.min(x, 0));
}

/** A constant that the formula names; every layer with that function has it. */
function of(constants: Constants, name: string): number {
  return constants[name] ?? NaN;
}

const plain = (formula: string, compute: (x: number) => number): Function => ({ formula, compute });
const ROOT = Math.sqrt(2 / Math.PI);

export const FUNCTIONS: Record<string, Function> = {
  relu: plain("max(0, x)", (x) => Math.max(x, 0)),
  clip: { formula: "min(max(x, {min}), {max})", compute: (x, c) => held(x, of(c, "min"), of(c, "max")) },
  leaky_relu: { formula: "x if x > 0 else {alpha} * x", compute: (x, c) => (x > 0 ? x : of(c, "alpha") * x) },
  prelu: { formula: "x if x > 0 else {slope} * x", compute: (x, c) => (x > 0 ? x : of(c, "slope") * x) },
  rrelu: {
    formula: "x if x > 0 else ({lower} + {upper}) / 2 * x",
    compute: (x, c) => (x > 0 ? x : ((of(c, "lower") + of(c, "upper")) / 2) * x),
  },
  thresholded_relu: { formula: "x if x > {alpha} else 0", compute: (x, c) => (x > of(c, "alpha") ? x : 0) },
  threshold: {
    formula: "x if x > {threshold} else {value}",
    compute: (x, c) => (x <= of(c, "threshold") ? of(c, "value") : x),
  },
  bounded_relu: {
    formula: "min(x, {max}) if x > {threshold} else {slope} * (x - {threshold})",
    compute: (x, c) =>
      x > of(c, "threshold") ? Math.min(x, of(c, "max")) : of(c, "slope") * (x - of(c, "threshold")),
  },
  sigmoid: plain("1 / (1 + exp(-x))", sigmoid),
  log_sigmoid: plain("-log(1 + exp(-x))", (x) => -softplus(-x)),
  hard_sigmoid: {
    formula: "min(max({alpha} * x + {beta}, 0), 1)",
    compute: (x, c) => held(of(c, "alpha") * x + of(c, "beta"), 0, 1),
  },
  sparse_sigmoid: plain("min(max((x + 1) / 2, 0), 1)", (x) => held((x + 1) / 2, 0, 1)),
  tanh: plain("tanh(x)", Math.tanh),
  tanh_shrink: plain("x - tanh(x)", (x) => x - Math.tanh(x)),
  swish: { formula: "x / (1 + exp(-{alpha} * x))", compute: (x, c) => x * sigmoid(of(c, "alpha") * x) },
  hard_swish: plain("x * min(max(x / 6 + 0.5, 0), 1)", (x) => x * held(x / 6 + 0.5, 0, 1)),
  gelu: plain("x * (1 + erf(x / sqrt(2))) / 2", (x) => x * (0.5 * (1 + erf(x / Math.SQRT2)))),
  gelu_tanh: plain(
    "x * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 * x^3))) / 2",
    (x) => 0.5 * x * (1 + Math.tanh(ROOT * (x + 0.044715 * x ** 3))),
  ),
  mish: plain("x * tanh(log(1 + exp(x)))", (x) => x * Math.tanh(softplus(x))),
  elu: { formula: "x if x > 0 else {alpha} * (exp(x) - 1)", compute: (x, c) => elu(x, of(c, "alpha")) },
  celu: {
    formula: "x if x > 0 else {alpha} * (exp(x / {alpha}) - 1)",
    compute: (x, c) => (x > 0 ? x : of(c, "alpha") * Math.expm1(Math.min(x, 0) / of(c, "alpha"))),
  },
  selu: {
    formula: "{gamma} * (x if x > 0 else {alpha} * (exp(x) - 1))",
    compute: (x, c) => of(c, "gamma") * elu(x, of(c, "alpha")),
  },
  softplus: {
    formula: "log(1 + exp({beta} * x)) / {beta}",
    compute: (x, c) => {
      const scaled = x * of(c, "beta");
      return scaled > (c.threshold ?? Infinity) ? x : softplus(scaled) / of(c, "beta");
    },
  },
  sparse_plus: plain("0 if x <= -1, x if x >= 1, else (x + 1)^2 / 4", (x) =>
    x <= -1 ? 0 : x >= 1 ? x : (x + 1) ** 2 / 4,
  ),
  squareplus: { formula: "(x + sqrt(x^2 + {b})) / 2", compute: (x, c) => (x + Math.sqrt(x ** 2 + of(c, "b"))) / 2 },
  softsign: plain("x / (1 + |x|)", (x) => x / (1 + Math.abs(x))),
  hard_shrink: { formula: "x if |x| > {lambd} else 0", compute: (x, c) => (Math.abs(x) <= of(c, "lambd") ? 0 : x) },
  shrink: {
    formula: "x + {bias} if x < -{lambd}, x - {bias} if x > {lambd}, else 0",
    compute: (x, c) =>
      x < -of(c, "lambd") ? x + of(c, "bias") : x > of(c, "lambd") ? x - of(c, "bias") : 0,
  },
  soft_shrink: {
    formula: "sign(x) * max(|x| - {lambd}, 0)",
    compute: (x, c) => Math.sign(x) * Math.max(Math.abs(x) - of(c, "lambd"), 0),
  },
  erf: plain("erf(x)", erf),
  abs: plain("|x|", Math.abs),
  neg: plain("-x", (x) => -x),
  sign: plain("1 if x > 0, -1 if x < 0, else 0", (x) => Number(x > 0) - Number(x < 0)),
  signum: plain("1 if x > 0, -1 if x < 0, else 0", (x) => Number(x > 0) - Number(x < 0)),
  floor: plain("the largest whole number <= x", Math.floor),
  ceil: plain("the smallest whole number >= x", Math.ceil),
  trunc: plain("x without its fraction", Math.trunc),
  round: plain("the nearest whole number, halves to the even one", toEven),
  exp: plain("exp(x)", Math.exp),
  exp2: plain("2^x", (x) => Math.pow(2, x)),
  expm1: plain("exp(x) - 1", Math.expm1),
  log: plain("log(x)", Math.log),
  log2: plain("log2(x)", Math.log2),
  log10: plain("log10(x)", Math.log10),
  log1p: plain("log(1 + x)", Math.log1p),
  square: plain("x^2", (x) => x * x),
  sqrt: plain("sqrt(x)", Math.sqrt),
  rsqrt: plain("1 / sqrt(x)", (x) => 1 / Math.sqrt(x)),
  reciprocal: plain("1 / x", (x) => 1 / x),
  sin: plain("sin(x)", Math.sin),
  cos: plain("cos(x)", Math.cos),
  tan: plain("tan(x)", Math.tan),
  asin: plain("asin(x)", Math.asin),
  acos: plain("acos(x)", Math.acos),
  atan: plain("atan(x)", Math.atan),
  sinh: plain("sinh(x)", Math.sinh),
  cosh: plain("cosh(x)", Math.cosh),
  asinh: plain("asinh(x)", Math.asinh),
  acosh: plain("acosh(x)", Math.acosh),
  atanh: plain("atanh(x)", Math.atanh),
};

const DEFAULTS: Record<string, Constants> = { swish: { alpha: 1 }, softplus: { beta: 1 } };

function constantsOf(operation: Activation, slope: number | null): Constants {
  const own = Object.fromEntries(operation.constants.map(([name, value]) => [name, real(value)]));
  return { ...DEFAULTS[operation.function], ...own, ...(slope === null ? {} : { slope }) };
}

/** The activation of `x` in float64, or `null` for a function that isn't in the table. */
export function computed(operation: Activation, x: number, slope: number | null = null): number | null {
  const known = FUNCTIONS[operation.function];
  if (!known || (operation.function === "prelu" && slope === null)) return null;
  return known.compute(x, constantsOf(operation, slope));
}

/** The formula with the layer's own constants put in. */
export function inWords(operation: Activation, slope: number | null = null): string {
  const constants = constantsOf(operation, slope);
  return (FUNCTIONS[operation.function]?.formula ?? "").replace(/\{(\w+)\}/g, (_, name: string) =>
    general(of(constants, name)),
  );
}

const OF_ONE = ["sigmoid", "tanh", "erf", "hard_sigmoid", "softsign", "log", "log2", "log10", "log1p", "cos"];
const OF_CONSTANTS = ["clip", "threshold"];
const EXPONENTIAL = ["exp", "exp2", "expm1"];

/** In these nothing is rounded. */
export const EXACT = "relu thresholded_relu hard_shrink abs neg sign signum floor ceil trunc round".split(" ");

/** What the roundings of a function are relative to: the largest number that its evaluation handles. */
export function magnitudeOf(operation: Activation, x: number, total: number): number {
  if (EXACT.includes(operation.function) || OF_CONSTANTS.includes(operation.function)) return 0;
  const constants = operation.constants.map(([, value]) => Math.abs(real(value))).filter(Number.isFinite);
  const largest = Math.max(OF_ONE.includes(operation.function) ? 1 : 0, ...constants);
  const weight = Math.abs(EXPONENTIAL.includes(operation.function) ? x * (1 + Math.abs(total)) : x);
  return Math.max(Math.abs(total), Number.isFinite(weight) ? weight : 0, largest);
}
