/** What a lesson asks before it shows: the answer follows from the sizes, and the formula stands with its numbers put in. */
import { full, short } from "../panels/numbers";
import type { Key } from "../words";
import { CALLED, type Name, type Settings } from "./lessons";
import { parametersInWords } from "./parameters";
import { convolutionParameters, denseParameters, dropped, fields, outputSize, reach, type Slide } from "./sizes";
import { LEAK, type Scene } from "./working";

export interface Question {
  readonly answer: number;
  /** How far off an answer may be, where the number can't be typed whole. */
  readonly within: number;
  /** What the words of the question name. */
  readonly values: Record<string, string | number>;
  /** How the answer comes about, and what belongs to it; what a line is of stands before it. */
  readonly formulas: readonly { readonly of: Key | null; readonly text: string }[];
}

export function questionOf(name: Name, settings: Settings, scene: Scene, step: number): Question {
  const { size, kernel, padding, stride, dilation, channels, filters, layers } = settings;
  const side = scene.side;
  const values = { size, kernel, padding, stride, dilation, channels, filters, layers, side, step: step + 1 };
  const line = (text: string, of: Key | null = null) => ({ of, text });
  const asked = (answer: number, ...formulas: Question["formulas"]): Question => ({ answer, within: 0, values, formulas });
  const sizes = sizeInNumbers(size, settings);
  switch (name) {
    case "dilation":
      return asked(reach(settings), line(`${dilation} × (${kernel} − 1) + 1 = ${reach(settings)}`), line(sizes, "learn.sheet.output"));
    case "pooling":
      return { ...asked(side * side, line(sizes), line(`${side} × ${side} = ${side * side}`)), values: { ...values, all: size * size } };
    case "channels": {
      const all = convolutionParameters(channels, filters, kernel);
      return asked(all, line(parametersInWords({ filters, channels, rows: kernel, columns: kernel, bias: true })));
    }
    case "activation":
      return activationOf(settings, scene, step, values);
    case "field": {
      const steps = fields(Array.from({ length: layers }, () => settings));
      const field = steps.at(-1)?.field ?? 1;
      const terms = steps.map((one) => `(${one.reach} − 1) × ${one.apart}`);
      return asked(field, line(`${["1", ...terms].join(" + ")} = ${field}`));
    }
    case "dense": {
      const all = denseParameters(size * size, side * side, false);
      const shared = convolutionParameters(1, 1, kernel, false);
      const formulas = [line(`${size} × ${size} × ${side} × ${side} = ${all}`, "learn.denseLayer"), line(`${kernel} × ${kernel} = ${shared}`, "learn.convolutionLayer")];
      return { ...asked(all, ...formulas), values: { ...values, inputs: size * size, outputs: side * side } };
    }
    default:
      return asked(side, line(sizes));
  }
}

/** The size of an output, as its formula with the numbers put in. */
export function sizeInNumbers(size: number, slide: Slide): string {
  const side = outputSize(size, slide);
  const padded = slide.padding > 0 ? ` + 2 × ${slide.padding}` : "";
  const room = `${size}${padded} − ${reach(slide)}`;
  if (slide.stride === 1) return `${room} + 1 = ${side}`;
  const whole = dropped(size, slide) === 0;
  return `${whole ? "" : "⌊"}(${room}) / ${slide.stride}${whole ? "" : "⌋"} + 1 = ${side}`;
}

const LONG = /^floor\(\((\d+) \+ (\d+) \+ (\d+) - (\d+)\*\((\d+)-1\) - 1\) \/ (\d+)\) \+ 1$/;

/** The size and the slide behind the long form of `convlens.derivation`; `null` where it is another form, or pads one side alone. */
export function slideOf(terms: string): (Slide & { readonly size: number }) | null {
  const [size = 0, padding = 0, after = 0, dilation = 0, kernel = 0, stride = 0] = (LONG.exec(terms) ?? []).slice(1).map(Number);
  return stride === 0 || padding !== after ? null : { size, kernel, stride, dilation, padding };
}

/** A size that was worked out in the long form, in the lesson's shorter one; `null` where it has none. */
export function plainly(terms: string, value: number): string | null {
  const slide = slideOf(terms);
  return slide && outputSize(slide.size, slide) === value ? sizeInNumbers(slide.size, slide) : null;
}

function activationOf({ activation, shown }: Settings, scene: Scene, step: number, values: Question["values"]): Question {
  const before = scene.made[shown]?.workings[step];
  const total = before?.total ?? 0;
  const bias = before?.bias ?? 0;
  const answer = scene.after?.[shown]?.numbers[step] ?? total;
  const sum = before?.steps[0]?.value ?? total;
  const exact = Number.isInteger(answer * 1000);
  const added = `${short(sum, 6)} ${bias < 0 ? "−" : "+"} ${short(Math.abs(bias), 6)} = ${short(total, 6)}`;
  const called = CALLED[activation];
  const texts = activation === "none" ? [added] : [added, `${called}(${short(total, 6)}) = ${substituted(activation, total)}${exact ? full(answer) : short(answer, 5)}`];
  const formulas = texts.map((text) => ({ of: null, text }));
  return { answer, within: exact ? 1e-9 : 0.006, values: { ...values, sum: short(sum, 6), bias: short(bias, 6), name: called }, formulas };
}

/** The activation's rule with its number put in, where that says more than the result. */
export function substituted(activation: Settings["activation"], value: number): string {
  const power = (exponent: number) => `e^${exponent < 0 ? `(${short(exponent, 6)})` : short(exponent, 6)}`;
  if (activation === "leaky_relu" && value < 0) return `${LEAK} × (${short(value, 6)}) = `;
  if (activation === "sigmoid") return `1 / (1 + ${power(-value)}) = `;
  if (activation === "tanh") return `(${power(value)} − ${power(-value)}) / (${power(value)} + ${power(-value)}) = `;
  return "";
}
