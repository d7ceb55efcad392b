/** What a sketch says, as data: one block a layer, each word with its place in the line. The twin of `convlens.sketches.blocks`. */

/** Rows and columns. */
export type Pair = readonly [number, number];

/** A word of the line, in small letters, and the column at which it begins. */
export interface Word {
  readonly text: string;
  readonly column: number;
  readonly width: number;
}

interface Named {
  readonly word: Word;
  /** The layer's name in the model: `conv`, then `conv2`. */
  readonly name: string;
  /** The word behind each setting, for the mistakes that only show once sizes are known. */
  readonly places: Readonly<Record<string, Word>>;
}

interface Slides extends Named {
  readonly kernel: Pair;
  readonly stride: Pair;
  /** The same on both sides of an axis; null for "same". */
  readonly padding: Pair | null;
}

export interface Convolution extends Slides {
  readonly kind: "conv";
  readonly dilation: Pair;
  readonly filters: number;
  readonly groups: number;
  readonly bias: boolean;
  /** The kernel's name, whose single filter reads the mean of the channels. */
  readonly named: string | null;
}

export interface Depthwise extends Slides {
  readonly kind: "dwconv";
  readonly dilation: Pair;
  readonly multiplier: number;
  readonly bias: boolean;
  readonly named: string | null;
}

export interface Transposed extends Slides {
  readonly kind: "tconv";
  readonly dilation: Pair;
  readonly filters: number;
  readonly output_padding: Pair;
  readonly bias: boolean;
}

interface Pools<K extends string> extends Slides {
  readonly kind: K;
}

export type Pool = Pools<"maxpool"> | Pools<"avgpool">;

export interface Dense extends Named {
  readonly kind: "dense";
  readonly units: number;
  readonly bias: boolean;
}

export interface LeakyReLU extends Named {
  readonly kind: "leakyrelu";
  readonly slope: number;
}

export const PLAIN = ["globalavgpool", "relu", "sigmoid", "tanh", "silu", "gelu", "softmax", "batchnorm", "flatten"] as const;

interface Without<K extends string> extends Named {
  readonly kind: K;
}

/** Blocks without settings. */
export type Plain = { [K in (typeof PLAIN)[number]]: Without<K> }[(typeof PLAIN)[number]];

export type Block = Convolution | Depthwise | Transposed | Pool | Dense | LeakyReLU | Plain;
export type Sliding = Convolution | Depthwise | Transposed | Pool;
/** Blocks with weights that are drawn. */
export type Weighted = Convolution | Depthwise | Transposed | Dense;
export type Kind = Block["kind"];

export function isSliding(block: Block): block is Sliding {
  return "kernel" in block;
}

export function isWeighted(block: Block): block is Weighted {
  return block.kind === "conv" || block.kind === "dwconv" || block.kind === "tconv" || block.kind === "dense";
}

/** How far apart the cells of a window are; a pooling's lie side by side. */
export function dilationOf(block: Sliding): Pair {
  return "dilation" in block ? block.dilation : [1, 1];
}

/** One block as it is typed; what every block has unless told is left out. */
export function written(block: Block): string {
  const words: string[] = [block.kind];
  if (block.kind === "dense") words.push(String(block.units));
  if (block.kind === "leakyrelu" && block.slope !== 0.3) words.push(String(block.slope));
  if ("named" in block && block.named !== null) {
    words.push(block.named);
    if (block.kernel[0] !== 3 || block.kernel[1] !== 3) words.push(sides(block.kernel));
  } else if (isSliding(block)) {
    if ("filters" in block) words.push(String(block.filters));
    words.push(sides(block.kernel));
  }
  if (isSliding(block)) {
    const usual = block.kind === "maxpool" || block.kind === "avgpool" ? block.kernel : [1, 1];
    if (block.stride[0] !== usual[0] || block.stride[1] !== usual[1]) words.push("stride", short(block.stride));
    if ("dilation" in block && (block.dilation[0] !== 1 || block.dilation[1] !== 1)) words.push("dilation", short(block.dilation));
    if (block.padding === null) words.push("same");
    else if (block.padding[0] || block.padding[1]) words.push("pad", short(block.padding));
  }
  if (block.kind === "tconv" && (block.output_padding[0] || block.output_padding[1])) words.push("output_padding", short(block.output_padding));
  if (block.kind === "conv" && block.groups !== 1) words.push("groups", String(block.groups));
  if (block.kind === "dwconv" && block.multiplier !== 1) words.push("multiplier", String(block.multiplier));
  if ("bias" in block && !block.bias && !("named" in block && block.named !== null)) words.push("nobias");
  return words.join(" ");
}

export function writtenAll(blocks: readonly Block[]): string {
  return blocks.map(written).join(" | ");
}

function sides([rows, columns]: Pair): string {
  return `${rows}x${columns}`;
}

function short([rows, columns]: Pair): string {
  return rows === columns ? String(rows) : `${rows}x${columns}`;
}
