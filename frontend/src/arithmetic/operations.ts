/** What a layer does, as data: the operations of `convlens.network`, field by field (`convlens.hosts.wire.operations`). */
import type { Num } from "../source/facts";

export type Pads = [number, number][];
export type Fraction = [number, number];

export interface Convolution {
  type: "Convolution";
  in_channels: number;
  filters: number;
  kernel_size: number[];
  stride: number[];
  dilation: number[];
  padding: Pads;
  groups: number;
  bias: boolean;
  transposed: boolean;
  output_padding: number[];
  padding_mode: string;
}

export interface Pooling {
  type: "Pooling";
  mode: string;
  kernel_size: number[];
  stride: number[];
  dilation: number[];
  padding: Pads;
  ceil_mode: boolean;
  count_include_pad: boolean;
  adaptive: boolean;
  whole: boolean;
  power: number;
  divisor: number | null;
  padding_mode: string;
  least: Num;
  ignores_nan: boolean;
  /** Whether there is a rule for NaN at all; in ONNX Runtime's maximum its place in the window decides. */
  settles_nan: boolean;
}

export interface Normalisation {
  type: "Normalisation";
  mode: string;
  epsilon: number;
  groups: number;
  axes: number[];
  constants: [string, Num][];
}

export interface Activation {
  type: "Activation";
  function: string;
  constants: [string, Num][];
  axis: number | null;
}

export interface Dense {
  type: "Dense";
  in_features: number;
  out_features: number;
  bias: boolean;
  per_position: boolean;
  features_axis: number | null;
}

export interface Merge {
  type: "Merge";
  function: string;
  axis: number | null;
  factor: number;
  /** Which operands no layer makes: (place, shape). Missing in earlier reports. */
  constants?: [number, number[]][];
}

export interface Pad {
  type: "Pad";
  padding: Pads;
  mode: string;
  value: Num;
  channels: [number, number];
}

export interface Resize {
  type: "Resize";
  mode: string;
  scale: Fraction[];
  align_corners: boolean;
  coordinates: string;
  rounding: string;
  cubic_coefficient: number;
  coordinate_arithmetic: string;
  exclude_outside: boolean;
  cubic_steps: number;
  crop: [number, number][];
  outside: number;
}

export interface Slice {
  type: "Slice";
  start: number[];
  step: number[];
  first_channel: number;
  channel_step: number;
}

export interface Reshape {
  type: "Reshape";
  function: string;
  aligned: boolean;
  axes: number[];
  channels_last: boolean;
}

export interface Pointwise {
  type: "Pointwise";
  function: string;
  axes: number[];
  settles_nan: boolean;
}

export interface Whole {
  type: "Whole";
  function: string;
  axes: number[];
  settles_nan: boolean;
}

export type Operation =
  | Convolution
  | Pooling
  | Normalisation
  | Activation
  | Dense
  | Merge
  | Pad
  | Resize
  | Slice
  | Reshape
  | Pointwise
  | Whole;

/** Numbers with their shape, row-major: a layer's values, or weights. */
export interface Tensor {
  shape: number[];
  data: Float32Array | Float64Array | Int32Array;
}
