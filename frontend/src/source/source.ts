/**
 * Where the page's facts and numbers come from: the server, the file that holds the page, or a notebook's kernel.
 *
 * Everything the page shows goes through here; no other module fetches anything.
 */
import type {
  BoxFact,
  ChannelsFact,
  DerivationFact,
  EffectiveFact,
  ExplanationFact,
  KernelsFact,
  MapFact,
  ModelFact,
  NetworkFact,
  PictureFact,
  PictureValueFact,
  ProblemFact,
  RecipeFact,
  RunFact,
  SessionFact,
} from "./facts";

/**
 * Numbers with their shape. `exact` is false for float16 and for means over several values; `standsIn` where they are shown
 * until those that were asked for are there.
 */
export interface Values {
  data: Float32Array;
  shape: number[];
  exact: boolean;
  standsIn?: boolean;
}

export interface RunRequest {
  model: string;
  picture: string;
  recipe: RecipeFact | null;
}

/** Of what facts are asked: of a model at the sizes that it states, or of one run, with its own sizes and the path that it took. */
export type Of = { readonly model: string } | { readonly run: string };

/** What a run tells while it goes on: its own facts first, then layer after layer, then its facts again. */
export interface RunListener {
  started(run: RunFact): void;
  arrived(map: MapFact, done: number, total: number): void;
  ended(run: RunFact): void;
}

/** What a source can do beyond showing what is there. */
export interface Abilities {
  /** Run another picture, or another recipe. */
  run: boolean;
  effective: boolean;
  /** Hand out drawings and `.npy` by address. */
  files: boolean;
}

export interface TilePlace {
  layer: string;
  level: number;
  channel: number;
  slice: number;
  /** Number of the tile from the top and from the left, TILE values each way. */
  row: number;
  column: number;
}

export const TILE = 256;

export type FileKind = "npy" | "png" | "svg";

export interface Source {
  readonly can: Abilities;
  session(): Promise<SessionFact>;
  /** What of the data isn't as it was written; null where all of it is. For sources that lie in a file. */
  damage?(): Promise<Problem | null>;
  network(of: Of): Promise<NetworkFact>;
  derivation(of: Of, layer: string): Promise<DerivationFact>;
  kernels(of: Of, layer: string): Promise<KernelsFact>;
  /** Filters `first` to `first + count`, all their channels: shape (count, channels, rows, columns). */
  kernelValues(of: Of, layer: string, first: number, count: number): Promise<Values>;

  /** Resolves when the run has ended; rejects with a Problem. Aborting the signal cancels the run. */
  run(request: RunRequest, listener: RunListener, signal: AbortSignal): Promise<RunFact>;
  channels(run: string, layer: string): Promise<ChannelsFact>;
  /** Several whole maps at one level: shape (channels, rows, columns). `soon`: what stands in for them will do. */
  maps(run: string, layer: string, level: number, channels: number[], slice: number, signal?: AbortSignal, soon?: boolean): Promise<Values>;
  tile(run: string, place: TilePlace, signal?: AbortSignal): Promise<Values>;
  explanation(run: string, layer: string, index: number[], groups: number): Promise<ExplanationFact | PictureValueFact>;
  field(run: string, layer: string, index: number[]): Promise<BoxFact | null>;
  /** How much each pixel moves this value: shape (rows, columns). */
  effective(run: string, layer: string, index: number[], signal?: AbortSignal): Promise<[EffectiveFact, Values]>;
  /** The address of the picture as the network reads it. */
  pictureAddress(run: string): string;
  /** The picture as it was given. */
  originalAddress(picture: string): string;
  fileAddress(run: string, layer: string, channel: number | null, kind: FileKind, colours: { mode: string; scale: string }): string;

  /** Whether there is a run of this model on this picture; a source that can run any has no such question. */
  holds?(model: string, picture: string): boolean;
  addPicture(file: Blob, name: string): Promise<PictureFact>;
  addModel(file: Blob, name: string): Promise<ModelFact>;
  /** Calls back when the source is lost (false) and when it is there again (true). Returns how to stop. */
  watch(changed: (there: boolean) => void): () => void;
}

/** An error with the words that a person needs: what was expected, what was received, what to do next. */
export class Problem extends Error {
  constructor(
    readonly fact: ProblemFact,
    readonly status: number = 0,
  ) {
    super(fact.problem);
    this.name = "Problem";
  }
}
