/**
 * What a report's file holds beside the viewer: the wire format that `convlens.hosts.report` writes.
 *
 * The contents are JSON; numbers lie in blobs, base64 in elements of their own, that are decoded when they are asked for.
 * `version` changes when a reader of the old format would misread the new one.
 */
import type { ChannelsFact, DerivationFact, KernelsFact, NetworkFact, Num, RunFact, SessionFact } from "../facts";
import type { Operation } from "../../arithmetic/operations";

export const FORMAT = "convlens-report";
export const VERSION = 1;

/** The number of a blob. Its bytes are zlib-deflated, but for PNG and WebP pictures, which stand as they are. */
export type Blob = number;

/**
 * An array. `planes`: bytes little-endian, first byte of every value, then second byte of every value, and so on.
 *
 * - `f32`, `f16`, `i32`: planes of that type.
 * - `q8`: for each entry of the first axis a float32 scale, then an int8 for every value; value = scale * int8.
 * - `pixels`: `png` holds the pixels, `blob` a table of 256 float32 for each channel (plain, not in planes); channel n of
 *   the array is table[n][the PNG's channel from[n]]. A grey PNG has one channel.
 */
export interface ArrayFact {
  coding: "f32" | "f16" | "i32" | "q8" | "pixels";
  shape: number[];
  blob: Blob;
  exact: boolean;
  png?: Blob;
  from?: number[];
}

/**
 * The order in which a framework adds up a convolution in float32; with it the page gets the framework's own values.
 *
 * Terms are taken channel by channel, rows, columns (`block` 0), or in blocks of `block` channels: block by block, rows,
 * columns, channels of the block (the last block may be smaller). The terms are cut into runs of `chunk` (0: one run).
 * Within a run an accumulator starts at 0 and takes the terms in groups of `group`; what fills no group is taken in groups of
 * half its size, and so on down to 1. `fused`: every term is added with one rounding, acc = f32(acc + k*x), and groups are
 * 1. Otherwise products are rounded, added up within the group one after the other, each time rounded, and the group's sum is
 * added to the accumulator, rounded. The runs' sums are added one after the other, rounded; then the bias, rounded.
 * `double`: all in float64, rounded once at the end, after the bias.
 */
export interface Order {
  block: number;
  chunk: number;
  group: number;
  fused: boolean;
  double: boolean;
}

/**
 * How the page gets a layer's values.
 *
 * - `values`: they are in the file; `level` > 0: means over 2^level x 2^level values.
 * - `formula`: worked out from the layer's inputs by its formula in float64, rounded once (ReLU, maximum, sum of two, batch
 *   normalisation, ...; `convlens.hosts.report.forward` lists which); `off` as for `ordered`, null where nothing is to be added.
 * - `ordered`: a convolution worked out in `order`; `off`, where there, holds what is then to be added to the number of each
 *   float32 (counted in steps from one float32 to the next): `i32`, zig-zag (0, -1, 1, -2, ... are 0, 1, 2, 3).
 * - `worked`: as `ordered`, but not the framework's own bits; `furthest` is the largest difference to the framework's own
 *   values, over `compared` of them.
 *
 * `crc`: CRC-32 of the framework's own float32 values, little-endian, -0 written as 0 and NaN as 0x7fc00000, where the page gets these; `exact` is
 * false where it doesn't.
 * `overview`: means at a level of detail and what `channels` answers, to be shown while the values are worked out.
 */
export type Plan = (
  | { how: "values"; array: ArrayFact; level: number }
  | { how: "formula"; off: ArrayFact | null }
  | { how: "ordered"; order: Order; off: ArrayFact | null }
  | { how: "worked"; order: Order; furthest: Num; compared: number }
) & { exact: boolean; crc: number | null; overview: Overview | null; says: string | null };

export interface Overview {
  array: ArrayFact;
  level: number;
  /** Of the framework's own values; null where the page doesn't get these, missing in earlier files. */
  channels?: ChannelsFact | null;
}

/** A table of what the values of a layer see: `shape` is [2, ...the layer's axes, 1 where nothing changes along one]. */
export interface SeenFact {
  tables: ArrayFact[];
  exact: boolean;
}

/** What is known of a model; deflated JSON in a blob. */
export interface ModelContents {
  network: NetworkFact;
  derivations: Record<string, DerivationFact>;
  kernels: Record<string, KernelsFact>;
  operations: Record<string, Operation | null>;
  /** The type in which a layer adds up, where it is known to be another than its own. */
  sums_in: Record<string, string>;
  weights: Record<string, Record<string, ArrayFact>>;
  /** Layers whose weights aren't in the file, to keep to its budget: they can be looked at, but not explained. */
  left_out: string[];
}

/** What is known of a run; deflated JSON in a blob. */
export interface RunContents {
  run: RunFact;
  picture: Blob; // a PNG: the picture as the network reads it
  inputs: Record<string, ArrayFact>;
  plans: Record<string, Plan>;
  seen: Record<string, SeenFact>;
}

export interface Contents {
  format: typeof FORMAT;
  version: number;
  session: SessionFact;
  models: Record<string, Blob>;
  runs: { id: string; model: string; picture: string; blob: Blob }[];
  /** The pictures as they were given, small, as WebP (not deflated). */
  originals: Record<string, Blob>;
  /** The CRC-32 of each blob's bytes; missing in earlier files. */
  checksums?: number[];
  /** What had to be reduced to keep to the budget, in words. */
  reductions: string[];
}
