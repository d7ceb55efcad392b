/** The language of sketches: one line of text -> blocks. The twin of `convlens.sketches`: grammar, options, language. */
import type { Block, Pair, Word } from "./blocks";
import { CENTRED, LARGEST, NAMES, SCALABLE } from "./kernels";
import { Mistake, say, type Words } from "./mistake";
import { Reader, SIZE, suggestion } from "./reader";

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
  conv: say("example", { text: "conv 8 3x3" }),
  dwconv: say("exampleOwn", { text: "dwconv 3x3" }),
  tconv: say("example", { text: "tconv 8 3x3 stride 2" }),
  maxpool: say("example", { text: "maxpool 2x2" }),
  avgpool: say("example", { text: "avgpool 2x2" }),
  dense: say("example", { text: "dense 10" }),
};
const NAMED_HINT = say("oneFilter");

/** What the sketch `text` says, one block a layer. Throws a Mistake. */
export function parse(text: string): Block[] {
  const line = text.replace(/[\p{C}\p{Zl}\p{Zp}]|(?! )\p{Zs}/gu, " "); // a tab would move the caret
  if (line.length > MOST_CHARACTERS) {
    throw new Mistake(say("tooLong"), `${line.slice(0, 60)}...`, 0, 1, say("atMostCharacters"), String(line.length));
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
  const expected = say("aLayer");
  if (!line.trim()) return new Mistake(say("empty"), line, 0, 1, expected);
  return new Mistake(say("noLayer"), line, end < line.length ? end : line.lastIndexOf("|"), 1, expected, "", say("leaveBar"));
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
  const word = reader.take(say("aLayer"));
  const read = Object.hasOwn(GRAMMAR, word.text) ? GRAMMAR[word.text] : undefined;
  if (!read) throw reader.mistake(word, say("noSuchLayer"), say("oneOf", { words: KINDS.join(", ") }), suggestion(word.text, KINDS, ELSEWHERE));
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
function options(reader: Reader, allowed: readonly string[], hint: Words = ""): Options {
  const found: Options = { stride: null, dilation: [1, 1], padding: [0, 0], output_padding: [0, 0], groups: 1, multiplier: 1, bias: true, places: {} };
  const given = new Map<string, string>();
  while (reader.peek() !== null) {
    const word = reader.take("");
    if (!allowed.includes(word.text)) {
      throw reader.mistake(word, say("notHere"), allowed.length ? allowed : say("theEnd"), named(reader, word) || suggestion(word.text, allowed, OPTIONS_ELSEWHERE) || hint);
    }
    const setting = ["same", "valid", "pad"].includes(word.text) ? "padding" : word.text;
    const before = given.get(setting);
    if (before !== undefined) {
      throw reader.mistake(word, say("twice", { setting }), word.text === before ? say("once", { setting }) : say("alone", { setting: before }));
    }
    given.set(setting, word.text);
    if (word.text === "stride") found.stride = reader.pair(say("stride"));
    else if (word.text === "dilation") found.dilation = reader.pair(say("dilation"));
    else if (word.text === "same") found.padding = null;
    else if (word.text === "pad") found.padding = reader.pair(say("padding"), "", 0);
    else if (word.text === "output_padding") found.output_padding = reader.pair(say("outputPadding"), "", 0);
    else if (word.text === "groups") found.groups = reader.number(say("groups"));
    else if (word.text === "multiplier") found.multiplier = reader.number(say("multiplier"));
    else if (word.text === "nobias") found.bias = false;
    found.places[setting] = reader.last;
  }
  return found;
}

/** How the kernel that `word` names is written, where it names one: it stands before all else. */
function named(reader: Reader, word: Word): Words {
  const kind = reader.words[0]?.text === "dwconv" ? "dwconv" : "conv";
  return NAMES.includes(word.text) ? say("write", { text: `${kind} ${word.text}` }) : "";
}

/** "same" with both a stride and a dilation is refused, as Keras does. */
function checkSame(reader: Reader, { padding, stride, dilation, places }: Options): void {
  if (padding === null && Math.max(...(stride ?? [1])) > 1 && Math.max(...dilation) > 1) {
    throw reader.mistake(places["padding"] as Word, say("sameBoth"), say("oneOfTwo"));
  }
}

function filtersOf(reader: Reader, word: Word, orNamed = false): number {
  const next = reader.peek();
  const hint = EXAMPLES[word.text as keyof typeof EXAMPLES];
  if (next && SIZE.test(next.text)) {
    throw reader.mistake(next, say("noFilters"), say("filtersKernel"), say("writeFilters", { text: `${word.text} 8 ${next.text}` }));
  }
  if (next && orNamed && /^\p{L}/u.test(next.text)) {
    const meant = suggestion(next.text, NAMES, KERNELS_ELSEWHERE) || hint;
    throw reader.mistake(next, say("noKernel"), say("filtersOr", { names: NAMES }), meant);
  }
  return reader.number(say("filters"), hint);
}

function kernelOf(reader: Reader, word: Word): [Pair, Word] {
  const next = reader.peek();
  if (next && NAMES.includes(next.text)) {
    throw reader.mistake(next, say("ownFilter"), say("aSize"), say("writeNamed", { name: next.text }));
  }
  const what = say(word.text === "maxpool" || word.text === "avgpool" ? "window" : "kernel");
  return [reader.pair(what, EXAMPLES[word.text as keyof typeof EXAMPLES]), reader.last];
}

function namedOf(reader: Reader): string | null {
  const next = reader.peek();
  return next && NAMES.includes(next.text) ? reader.take(say("kernel")).text : null;
}

function namedSize(reader: Reader, named: string): [Pair, Word] {
  const at = reader.last;
  const next = reader.peek();
  if (!next || !/^\d/.test(next.text)) return [[3, 3], at];
  const size = reader.pair(say("sizeFor", { name: named }));
  const last = reader.last;
  if (!SCALABLE.includes(named)) {
    if (size[0] === 3 && size[1] === 3) return [size, at];
    throw reader.mistake(last, say("oneSize", { name: named }), "3x3", say("write", { text: named }));
  }
  if (Math.max(...size) > LARGEST) throw reader.mistake(last, say("tooLargeFor", { name: named }), say("atMost", { most: `${LARGEST}x${LARGEST}` }));
  if (CENTRED.includes(named) && !(size[0] % 2 && size[1] % 2)) {
    throw reader.mistake(last, say("middle", { name: named }), say("odd"));
  }
  return [size, last];
}

function conv(reader: Reader, word: Word, name: string): Block {
  const named = namedOf(reader);
  const filters = named ? 1 : filtersOf(reader, word, true);
  const [kernel, at] = named ? namedSize(reader, named) : kernelOf(reader, word);
  const read = named
    ? options(reader, [...SLIDING, "dilation"], NAMED_HINT)
    : options(reader, [...SLIDING, "dilation", "groups", "nobias"], EXAMPLES.conv);
  if (filters % read.groups) {
    throw reader.mistake(read.places["groups"] as Word, say("unshared", { filters, groups: read.groups }), say("divisor", { count: filters }));
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
    if (read.padding === null) throw reader.mistake(place, say("sameSettles"), say("noOutputPadding"));
    if (read.output_padding.some((added, axis) => added >= (stride[axis] as number))) {
      throw reader.mistake(place, say("outputPaddingLarge"), say("lessThanStride", { size: stride.join("x") }));
    }
  }
  const { padding, dilation, output_padding, bias, places } = read;
  return { kind: "tconv", word, name, places: { kernel: at, ...places }, filters, kernel, stride, padding, dilation, output_padding, bias };
}

function pool(reader: Reader, word: Word, name: string): Block {
  const [kernel, at] = kernelOf(reader, word);
  const read = options(reader, SLIDING, EXAMPLES[word.text as "maxpool" | "avgpool"]);
  if (read.padding?.some((pad, axis) => pad >= (kernel[axis] as number))) {
    throw reader.mistake(read.places["padding"] as Word, say("emptyWindows"), say("lessThanWindow", { size: kernel.join("x") }));
  }
  return { kind: word.text as "maxpool" | "avgpool", word, name, places: { kernel: at, ...read.places }, kernel, stride: read.stride ?? kernel, padding: read.padding };
}

function dense(reader: Reader, word: Word, name: string): Block {
  const units = reader.number(say("units"), EXAMPLES.dense);
  const at = reader.last;
  const { bias } = options(reader, ["nobias"], EXAMPLES.dense);
  return { kind: "dense", word, name, places: { units: at }, units, bias };
}

function leakyrelu(reader: Reader, word: Word, name: string): Block {
  const slope = reader.peek() === null ? LEAKY_SLOPE : reader.decimal(say("slope"), 1);
  options(reader, []);
  return { kind: "leakyrelu", word, name, places: {}, slope };
}

function plain(reader: Reader, word: Word, name: string): Block {
  options(reader, []);
  return { kind: word.text, word, name, places: {} } as Block;
}
