/** What the page and the playground's worker say to one another. */
import type { Sign } from "../panels/maps/order";
import type { ExplanationFact } from "../source/facts";
import type { Edit, Given } from "./weights";

/** A picture: channels, rows, columns; three channels with values from 0 to 255, or a grey one from 0 to 1. */
export interface Sheet {
  readonly shape: readonly number[];
  readonly data: Float32Array;
  /** Rows and columns of what it was scaled down from. */
  readonly from?: readonly [rows: number, columns: number];
}

export interface Order {
  readonly id: number;
  readonly text: string;
  readonly seed: number;
  readonly edits: readonly Edit[];
  readonly given?: Given | null;
}

/** The maps of one layer as they are shown: the first channels, each value the mean over 2^level x 2^level of the layer's. */
export interface Shown {
  /** The layer's own shape here; smaller than that of the network where the picture was reduced. */
  readonly shape: readonly number[];
  readonly minimum: number | null;
  readonly maximum: number | null;
  readonly level: number;
  /** What is odd about each of these channels. */
  readonly signs: readonly (Sign | null)[];
  readonly channels: number;
  readonly rows: number;
  readonly columns: number;
  readonly data: Float32Array;
}

export type Asked =
  | { kind: "picture"; sheet: Sheet }
  | { kind: "work"; order: Order }
  | { kind: "window"; id: number; place: Place; explain: boolean };

export type Told =
  | { kind: "ready" }
  /** All layers, from the picture reduced to 1/2^level of its sides; 0: the whole picture. */
  | { kind: "maps"; id: number; level: number; layers: Shown[] }
  | { kind: "progress"; id: number; share: number }
  /** The full resolution would need too much memory: what was shown before stays. */
  | { kind: "refused"; id: number; values: number }
  | { kind: "failed"; id: number; message: string }
  | { kind: "window"; id: number; found: Window | null };

/** A place in a layer's maps; a vector has one row and one column. */
export interface Place {
  readonly layer: number;
  readonly channel: number;
  readonly row: number;
  readonly column: number;
}

/** One value of a layer, and how it came about where that was asked. */
export interface Window extends Place {
  readonly value: number;
  readonly why: ExplanationFact | null;
}
