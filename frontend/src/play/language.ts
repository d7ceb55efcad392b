/** The language of sketches: one line of text -> blocks. The twin of `convlens.sketches`: grammar, options, language. */
import { Mistake, type Block, type Pair, type Word } from "./blocks";
import { CENTRED, LARGEST, NAMES, SCALABLE } from "./kernels";
import { listed, Reader, SIZE, suggestion } from "./reader";

const MOST_CHARACTERS = 10_000;
const SLIDING = ["stride", "same", "valid", "pad"] as const;
const LEAKY_SLOPE = 0.3;

/** Words that other frameworks use, and too far from ours to be found by their letters. */
const ELSEWHERE = {
  adaptiveavgpool: "globalavgpool",
  averagepool: "avgpool",
  bn: "batchnorm",
  convolution: "conv",
  deconv: "tconv",
  depthwise: "dwconv",
  fc: "dense",
  gap: "globalavgpool",
  linear: "dense",
  swish: "silu",
};
const KERNELS_ELSEWHERE = { blur: "gaussian", edges: "laplacian", mean: "box", sobel: "sobel-x", unsharp: "sharpen" };
const OPTIONS_ELSEWHERE = { padding: "pad", strides: "stride", "use_bias=false": "nobias", rate: "dilation" };
const EXAMPLES = {
  conv: "For example: conv 8 3x3",
  dwconv: "Each channel has its own filter; for example: dwconv 3x3",
  tconv: "For example: tconv 8 3x3 stride 2",
  maxpool: "For example: maxpool 2x2",
  avgpool: "For example: avgpool 2x2",
  dense: "For example: dense 10",
};
const NAMED_HINT = "A named kernel is one filter, without bias.";

/** What the sketch `text` says, one block a layer. Throws a Mistake. */
export function parse(text: string): Block[] {
  const line = text.replace(/[\p{C}\p{Zl}\p{Zp}]|(?! )\p{Zs}/gu, " "); // a tab would move the caret
  if (line.length > MOST_CHARACTERS) {
    throw new Mistake("This sketch is too long", `${line.slice(0, 60)}...`, 0, 1, "at most 10,000 characters", String(line.length));
  }
  const counts = new Map<string, number>();
  const blocks: Block[] = [];
  let start = 0;
  for (const part of line.split("|")) {
    const reader = new Reader(line, start, start + part.length);
    if (reader.words.length === 0) throw nothing(line, start + part.length);
    blocks.push(block(reader, counts));
    start += part.length + 1;
  }
  return blocks;
}

function nothing(line: string, end: number): Mistake {
  const expected = "a layer, such as conv 8 3x3, relu or maxpool 2x2";
  if (!line.trim()) return new Mistake("This sketch is empty", line, 0, 1, expected);
  return new Mistake("There is no layer here", line, end < line.length ? end : line.lastIndexOf("|"), 1, expected, "", "Leave out this bar.");
}

type Read = (reader: Reader, word: Word, name: string) => Block;

const GRAMMAR: Record<string, Read> = {
  conv,
  dwconv,
  tconv,
  maxpool: pool,
  avgpool: pool,
  globalavgpool: plain,
  relu: plain,
  leakyrelu,
  sigmoid: plain,
  tanh: plain,
  silu: plain,
  gelu: plain,
  softmax: plain,
  batchnorm: plain,
  flatten: plain,
  dense,
};

/** The words that a block may begin with. */
export const KINDS = Object.keys(GRAMMAR) as readonly Block["kind"][];

function block(reader: Reader, counts: Map<string, number>): Block {
  const word = reader.take("a layer");
  const read = Object.hasOwn(GRAMMAR, word.text) ? GRAMMAR[word.text] : undefined;
  if (!read) throw reader.mistake(word, "There is no such layer", `one of ${KINDS.join(", ")}`, suggestion(word.text, KINDS, ELSEWHERE));
  const count = (counts.get(word.text) ?? 0) + 1;
  counts.set(word.text, count);
  return read(reader, word, `${word.text}${count > 1 ? count : ""}`);
}

interface Options {
  stride: Pair | null;
  dilation: Pair;
  padding: Pair | null;
  output_padding: Pair;
  groups: number;
  multiplier: number;
  bias: boolean;
  places: Record<string, Word>;
}

/** Options up to the end of the block, in any order, each once; `hint` goes with a word that is none. */
function options(reader: Reader, allowed: readonly string[], hint = ""): Options {
  const found: Options = { stride: null, dilation: [1, 1], padding: [0, 0], output_padding: [0, 0], groups: 1, multiplier: 1, bias: true, places: {} };
  const given = new Map<string, string>();
  while (reader.peek() !== null) {
    const word = reader.take("an option");
    if (!allowed.includes(word.text)) {
      throw reader.mistake(word, "This doesn't belong here", listed(allowed), suggestion(word.text, allowed, OPTIONS_ELSEWHERE) || hint);
    }
    const setting = ["same", "valid", "pad"].includes(word.text) ? "padding" : word.text;
    const before = given.get(setting);
    if (before !== undefined) {
      throw reader.mistake(word, `The ${setting} is given twice`, word.text === before ? `'${setting}' once` : `'${before}' alone`);
    }
    given.set(setting, word.text);
    if (word.text === "stride") found.stride = reader.pair("a stride");
    else if (word.text === "dilation") found.dilation = reader.pair("a dilation");
    else if (word.text === "same") found.padding = null;
    else if (word.text === "pad") found.padding = reader.pair("a padding", "", 0);
    else if (word.text === "output_padding") found.output_padding = reader.pair("an output padding", "", 0);
    else if (word.text === "groups") found.groups = reader.number("a number of groups");
    else if (word.text === "multiplier") found.multiplier = reader.number("a number of filters a channel");
    else if (word.text === "nobias") found.bias = false;
    found.places[setting] = reader.last;
  }
  return found;
}

/** "same" with both a stride and a dilation is refused, as Keras does. */
function checkSame(reader: Reader, { padding, stride, dilation, places }: Options): void {
  if (padding === null && Math.max(...(stride ?? [1])) > 1 && Math.max(...dilation) > 1) {
    throw reader.mistake(places["padding"] as Word, "'same' can't be had with both a stride and a dilation", "one of the two, or 'pad N'");
  }
}

function filtersOf(reader: Reader, word: Word, otherwise = ""): number {
  const next = reader.peek();
  const hint = EXAMPLES[word.text as keyof typeof EXAMPLES];
  if (next && SIZE.test(next.text)) {
    throw reader.mistake(next, "The number of filters is missing", "FILTERS KERNEL", `Write: ${word.text} 8 ${next.text}, for 8 filters.`);
  }
  if (next && otherwise && /^\p{L}/u.test(next.text)) {
    const meant = suggestion(next.text, NAMES, KERNELS_ELSEWHERE) || hint;
    throw reader.mistake(next, "There is no such kernel", `a number of filters ${otherwise}`, meant);
  }
  return reader.number("a number of filters", hint);
}

function kernelOf(reader: Reader, word: Word): [Pair, Word] {
  const next = reader.peek();
  if (next && NAMES.includes(next.text)) {
    const hint = `Write: conv ${next.text}, or dwconv ${next.text} for one map a channel.`;
    throw reader.mistake(next, "A named kernel brings its own filter", "a size", hint);
  }
  return [reader.pair("a kernel", EXAMPLES[word.text as keyof typeof EXAMPLES]), reader.last];
}

function namedOf(reader: Reader): string | null {
  const next = reader.peek();
  return next && NAMES.includes(next.text) ? reader.take("a kernel").text : null;
}

function namedSize(reader: Reader, named: string): [Pair, Word] {
  const at = reader.last;
  const next = reader.peek();
  if (!next || !/^\d/.test(next.text)) return [[3, 3], at];
  const size = reader.pair(`a size for ${named}`);
  const last = reader.last;
  if (!SCALABLE.includes(named)) {
    if (size[0] === 3 && size[1] === 3) return [size, at];
    throw reader.mistake(last, `${named} has one size`, "3x3", `Write: ${named}`);
  }
  if (Math.max(...size) > LARGEST) throw reader.mistake(last, `Too large for ${named}`, `at most ${LARGEST}x${LARGEST}`);
  if (CENTRED.includes(named) && !(size[0] % 2 && size[1] % 2)) {
    throw reader.mistake(last, `${named} needs a pixel in its middle`, "odd numbers, such as 3x3 or 5x5");
  }
  return [size, last];
}

function conv(reader: Reader, word: Word, name: string): Block {
  const named = namedOf(reader);
  const filters = named ? 1 : filtersOf(reader, word, `or the name of a kernel, ${listed(NAMES)}`);
  const [kernel, at] = named ? namedSize(reader, named) : kernelOf(reader, word);
  const read = named
    ? options(reader, [...SLIDING, "dilation"], NAMED_HINT)
    : options(reader, [...SLIDING, "dilation", "groups", "nobias"], EXAMPLES.conv);
  if (filters % read.groups) {
    throw reader.mistake(read.places["groups"] as Word, `${filters} filters can't be shared out among ${read.groups} groups`, `a divisor of ${filters}`);
  }
  checkSame(reader, read);
  const { stride, padding, dilation, groups, bias, places } = read;
  return { kind: "conv", word, name, places: { kernel: at, ...places }, filters, kernel, stride: stride ?? [1, 1], padding, dilation, groups, bias: bias && !named, named };
}

function dwconv(reader: Reader, word: Word, name: string): Block {
  const named = namedOf(reader);
  const [kernel, at] = named ? namedSize(reader, named) : kernelOf(reader, word);
  const read = named
    ? options(reader, [...SLIDING, "dilation"], NAMED_HINT)
    : options(reader, [...SLIDING, "dilation", "multiplier", "nobias"], EXAMPLES.dwconv);
  checkSame(reader, read);
  const { stride, padding, dilation, multiplier, bias, places } = read;
  return { kind: "dwconv", word, name, places: { kernel: at, ...places }, kernel, stride: stride ?? [1, 1], padding, dilation, multiplier, bias: bias && !named, named };
}

function tconv(reader: Reader, word: Word, name: string): Block {
  const filters = filtersOf(reader, word);
  const [kernel, at] = kernelOf(reader, word);
  const read = options(reader, [...SLIDING, "dilation", "output_padding", "nobias"], EXAMPLES.tconv);
  const stride = read.stride ?? [1, 1];
  const place = read.places["output_padding"];
  if (place) {
    if (read.padding === null) throw reader.mistake(place, "'same' settles the output's size already", "no output_padding");
    if (read.output_padding.some((added, axis) => added >= (stride[axis] as number))) {
      throw reader.mistake(place, "The output padding is too large", `less than the stride, ${stride[0]}x${stride[1]}`);
    }
  }
  const { padding, dilation, output_padding, bias, places } = read;
  return { kind: "tconv", word, name, places: { kernel: at, ...places }, filters, kernel, stride, padding, dilation, output_padding, bias };
}

function pool(reader: Reader, word: Word, name: string): Block {
  const [kernel, at] = kernelOf(reader, word);
  const read = options(reader, SLIDING, EXAMPLES[word.text as "maxpool" | "avgpool"]);
  if (read.padding?.some((pad, axis) => pad >= (kernel[axis] as number))) {
    throw reader.mistake(read.places["padding"] as Word, "With this padding whole windows would hold no pixel", `less than the window, ${kernel[0]}x${kernel[1]}`);
  }
  return { kind: word.text as "maxpool" | "avgpool", word, name, places: { kernel: at, ...read.places }, kernel, stride: read.stride ?? kernel, padding: read.padding };
}

function dense(reader: Reader, word: Word, name: string): Block {
  const units = reader.number("a number of outputs", EXAMPLES.dense);
  const at = reader.last;
  const { bias } = options(reader, ["nobias"], EXAMPLES.dense);
  return { kind: "dense", word, name, places: { units: at }, units, bias };
}

function leakyrelu(reader: Reader, word: Word, name: string): Block {
  const slope = reader.peek() === null ? LEAKY_SLOPE : reader.decimal("a slope", 1);
  options(reader, []);
  return { kind: "leakyrelu", word, name, places: {}, slope };
}

function plain(reader: Reader, word: Word, name: string): Block {
  options(reader, []);
  return { kind: word.text, word, name, places: {} } as Block;
}
