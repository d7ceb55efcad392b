/** The facts that cross from Python to the page, by name. The shapes come from the server's own schema. */

/** A number that JSON can't hold travels as its name. */
export type Num = number | "NaN" | "Infinity" | "-Infinity";

export interface ModelFact {
  id: string;
  name: string;
  engine: string;
  /** What this model is for, such as the title of a tutorial step. */
  title: string | null;
}

export interface RecipeFact {
  resize: string;
  size: number[] | null;
  crop: number;
  interpolation: string;
  channels: string;
  scale: number;
  mean: number[];
  std: number[];
  notes: string[];
}

export interface FieldFact {
  size: number[];
  stride: number[];
  start: number[];
  end: number[];
  whole: boolean;
  exact: boolean;
}

export interface LayerFact {
  name: string;
  op: string;
  kind: string;
  scope: string[];
  /** Names of layers or of network inputs. */
  inputs: string[];
  /** Channels first, without the batch axis. */
  output_shape: number[];
  parameters: number;
  macs: number;
  dtype: string;
  shares: string | null;
  notes: string[];
  has_kernels: boolean;
  receptive_field: FieldFact | null;
}

export interface InputFact {
  name: string;
  shape: (number | null)[];
  dtype: string;
}

export interface NetworkFact {
  model: ModelFact;
  inputs: InputFact[];
  outputs: string[];
  layers: LayerFact[];
  parameters: number;
  macs: number;
  notes: string[];
  recipe: RecipeFact;
  recipe_source: string;
}

export interface PictureFact {
  id: string;
  name: string;
  rows: number;
  columns: number;
  channels: number;
  sample: boolean;
  credit: string | null;
  notes: string[];
}

export interface LimitsFact {
  upload_bytes: number;
  upload_pixels: number;
  upload_model: boolean;
}

export interface SessionFact {
  version: string;
  models: ModelFact[];
  pictures: PictureFact[];
  presets: Record<string, RecipeFact>;
  limits: LimitsFact;
  /** What to open first. */
  model: string;
  picture: string | null;
}

/** One layer's maps as they arrived. `channels x slices x rows x columns`; what a layer has no axis for is 1. */
export interface MapFact {
  layer: string;
  shape: number[];
  channels: number;
  slices: number;
  rows: number;
  columns: number;
  /** Levels of detail: level n has 1/2^n of the rows and columns; level 0 is the values themselves. */
  levels: number;
  minimum: number | null;
  maximum: number | null;
  mean: number | null;
  deviation: number | null;
  zeros: number;
  nan: number;
  infinite: number;
  constant: boolean;
  /** The channel of the largest mean magnitude. */
  strongest: number;
}

export interface ScoreFact {
  index: number;
  probability: number;
  label: string | null;
}

export interface PredictionFact {
  layer: string;
  softmax: boolean;
  top: ScoreFact[];
}

export interface ProblemFact {
  problem: string;
  expected: string;
  received: string;
  hint: string;
}

export type RunState = "running" | "done" | "failed" | "cancelled";

export interface RunFact {
  id: string;
  model: string;
  picture: string;
  recipe: RecipeFact | null;
  recipe_source: string | null;
  /** The recipe in one line. */
  caption: string;
  /** Rows and columns of the picture as the network reads it, which receptive fields count in. */
  rows: number;
  columns: number;
  state: RunState;
  done: number;
  total: number;
  maps: MapFact[];
  prediction: PredictionFact | null;
  problem: ProblemFact | null;
}

/** Every channel of a layer, column by column; what isn't finite doesn't count. */
export interface ChannelsFact {
  layer: string;
  minimum: (number | null)[];
  maximum: (number | null)[];
  mean: (number | null)[];
  variance: (number | null)[];
  /** The share of values that are exactly zero, 0 to 1. */
  zeros: number[];
  nan: number[];
  infinite: number[];
  constant: boolean[];
  /** Of all values of the layer: `counts` has one entry less than `edges`. */
  histogram: { edges: number[]; counts: number[] };
}

export interface KernelsFact {
  layer: string;
  /** Filters, channels per group, then the kernel's own axes. */
  shape: number[];
  groups: number;
  transposed: boolean;
  reads_colour: boolean;
  minimum: number;
  maximum: number;
  bias: number[] | null;
  /** The Euclidean norm of each filter. */
  norms: number[];
}

/** A kernel over one input channel, for one value. `origins` are where its values come from; null in the padding. */
export interface GroupFact {
  /** Number of the window's first axis: the input channel of the filter. */
  channel: number;
  sum: Num | null;
  window: Num[];
  kernel: Num[] | null;
  products: Num[] | null;
  winners: boolean[] | null;
  origins: (number[] | null)[];
  /** The layer (or network input) that these values belong to. */
  source: string;
}

export interface TermFact {
  layer: string;
  index: number[];
  value: Num;
  weight: Num | null;
  contribution: Num | null;
}

export interface StepFact {
  words: string;
  value: Num;
}

export interface ExplanationFact {
  layer: string;
  op: string;
  kind: string;
  index: number[];
  explained: boolean;
  framework_value: Num;
  total: Num | null;
  residual: Num | null;
  tolerance: Num;
  agrees: boolean;
  verdict: string;
  rule: string | null;
  formula: string | null;
  bias: number | null;
  activation: string | null;
  steps: StepFact[];
  /** Shape of the whole window, channels first. */
  window_shape: number[];
  /** Rows and columns of one group's window. */
  group_shape: number[];
  /** The groups of the largest sums, largest first; empty where a window has no channels of its own. */
  groups: GroupFact[];
  groups_total: number;
  /** What the groups that aren't listed add up to. */
  folded_sum: Num | null;
  /** The largest terms, largest first. */
  terms: TermFact[];
  terms_total: number;
}

/** Where a way back ends: one value of the network's input. */
export interface PictureValueFact {
  input: string;
  index: number[];
  value: Num;
}

export interface BoxFact {
  /** (first, last) pixel an axis of the picture, both inside; `unclipped` may lie outside the picture. */
  unclipped: number[][];
  clipped: number[][];
  exact: boolean;
}

export interface DerivationLineFact {
  what: string;
  formula: string;
  terms: string;
  value: number;
  text: string;
  latex: string;
}

export interface DerivationFact {
  layer: string;
  heading: string;
  text: string;
  latex: string;
  lines: DerivationLineFact[];
}

export interface EffectiveFact {
  method: string;
  words: string;
  rows: number;
  columns: number;
}
