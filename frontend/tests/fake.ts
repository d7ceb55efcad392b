/** A source without a server: layers of any size whose values are made from their place, for tests of the page. */
import type {
  ChannelsFact,
  DerivationFact,
  EffectiveFact,
  ExplanationFact,
  KernelsFact,
  LayerFact,
  MapFact,
  ModelFact,
  NetworkFact,
  PictureFact,
  RecipeFact,
  RunFact,
  SessionFact,
} from "../src/source/facts";
import { type Of, type RunListener, type RunRequest, type Source, TILE, type TilePlace, type Values } from "../src/source/source";

export const RECIPE: RecipeFact = {
  resize: "stretch",
  size: null,
  crop: 1,
  interpolation: "bilinear",
  channels: "rgb",
  scale: 1,
  mean: [0],
  std: [1],
  notes: [],
};
const MODEL: ModelFact = { id: "fake", name: "fake", engine: "fake", title: null, says: null, step: null };
const PICTURE: PictureFact = {
  id: "wave",
  name: "wave",
  rows: 64,
  columns: 64,
  channels: 3,
  sample: true,
  credit: null,
  notes: [],
};

export type Made = (channel: number, row: number, column: number, slice: number) => number;

/** Waves of both signs; channel 1 is all zero, channel 2 constant, channel 3 holds a NaN and an infinity. */
export const waves: Made = (channel, row, column, slice) => {
  if (channel === 1) return 0;
  if (channel === 2) return 0.5;
  if (channel === 3 && row === 0 && column < 2) return column ? NaN : Infinity;
  return Math.fround(Math.sin((row + slice) / (3 + (channel % 7))) * Math.cos(column / (2 + (channel % 5))) * (1 + (channel % 4)));
};

export interface FakeLayer {
  name: string;
  shape: number[];
  made?: Made;
}

const levelsOf = (rows: number, columns: number) => Math.max(1, Math.ceil(Math.log2(Math.max(rows, columns) / TILE)) + 3);

export class FakeSource implements Source {
  readonly can = { run: true, effective: false, files: true };
  /** What was asked for, in order. */
  readonly asked: string[] = [];

  constructor(
    readonly layers: FakeLayer[],
    readonly delay = 0,
  ) {}

  async session(): Promise<SessionFact> {
    const limits = { upload_bytes: 1e6, upload_pixels: 1e6, upload_model: false };
    const first = { model: MODEL.id, picture: PICTURE.id };
    return { version: "0", models: [MODEL], pictures: [PICTURE], presets: {}, limits, reductions: null, ...first };
  }

  async network(_of?: Of): Promise<NetworkFact> {
    const layers = this.layers.map((layer, n): LayerFact => {
      const inputs = [n ? (this.layers[n - 1]?.name ?? "input") : "input"];
      const kind = layer.shape.length === 1 ? "dense" : "convolution";
      const plain = { scope: [], parameters: 0, macs: 0, dtype: "float32", shares: null, notes: [], has_kernels: false };
      return { ...plain, name: layer.name, op: "Conv", kind, inputs, output_shape: layer.shape, receptive_field: null };
    });
    const totals = { outputs: [], parameters: 0, macs: 0, notes: [], recipe: RECIPE, recipe_source: "fake" };
    return { model: MODEL, inputs: [{ name: "input", shape: [3, 64, 64], dtype: "float32" }], layers, ...totals };
  }

  map(layer: FakeLayer): MapFact {
    const { shape } = layer;
    const [rows, columns] = shape.length === 1 ? [1, 1] : shape.length === 2 ? [1, shape[1] ?? 1] : shape.slice(-2);
    const slices = shape.slice(1, -2).reduce((product, size) => product * size, 1);
    const fact = { layer: layer.name, shape, channels: shape[0] ?? 1, slices, rows: rows ?? 1, columns: columns ?? 1 };
    const levels = levelsOf(fact.rows, fact.columns);
    const numbers = { minimum: -4, maximum: 4, mean: 0, deviation: 1, zeros: 0, nan: 1, infinite: 1 };
    return { ...fact, levels, ...numbers, constant: false, strongest: 0 };
  }

  async run(request: RunRequest, listener: RunListener): Promise<RunFact> {
    const maps = this.layers.map((layer) => this.map(layer));
    const run: RunFact = {
      ...{ id: "run", model: request.model, picture: request.picture, recipe: null, recipe_source: null, caption: "" },
      ...{ rows: 64, columns: 64, state: "running", done: 0, total: maps.length, maps: [], prediction: null, problem: null },
    };
    listener.started(run);
    maps.forEach((map, n) => listener.arrived(map, n + 1, maps.length));
    const ended: RunFact = { ...run, state: "done", done: maps.length, maps };
    listener.ended(ended);
    return ended;
  }

  async channels(_run: string, name: string): Promise<ChannelsFact> {
    const map = this.map(this.layer(name));
    const all = Array.from({ length: map.channels }, (_, channel) => channel);
    return {
      layer: name,
      minimum: all.map((channel) => (channel === 1 ? 0 : channel === 2 ? 0.5 : -1 - (channel % 4))),
      maximum: all.map((channel) => (channel === 1 ? 0 : channel === 2 ? 0.5 : 1 + (channel % 4))),
      mean: all.map((channel) => (channel * 7) % 11),
      variance: all.map((channel) => (channel * 5) % 13),
      zeros: all.map((channel) => (channel === 1 ? 1 : 0)),
      nan: all.map((channel) => (channel === 3 ? 1 : 0)),
      infinite: all.map((channel) => (channel === 3 ? 1 : 0)),
      constant: all.map((channel) => channel === 1 || channel === 2),
      histogram: { edges: Array.from({ length: 65 }, (_, n) => -4 + n / 8), counts: Array.from({ length: 64 }, (_, n) => (n * 37) % 101) },
    };
  }

  async maps(run: string, name: string, level: number, channels: number[], slice: number, signal?: AbortSignal): Promise<Values> {
    this.asked.push(`maps ${run} ${name} ${level} ${channels.join(",")} ${slice}`);
    await this.wait(signal);
    const map = this.map(this.layer(name));
    const rows = Math.ceil(map.rows / 2 ** level);
    const columns = Math.ceil(map.columns / 2 ** level);
    const data = new Float32Array(channels.length * rows * columns);
    channels.forEach((channel, n) => data.set(this.part(name, level, channel, slice, 0, 0, rows, columns), n * rows * columns));
    return { data, shape: [channels.length, rows, columns], exact: level === 0 };
  }

  async tile(run: string, place: TilePlace, signal?: AbortSignal): Promise<Values> {
    const { layer, level, channel, slice, row, column } = place;
    this.asked.push(`tile ${run} ${layer} ${level} ${channel} ${slice} ${row} ${column}`);
    await this.wait(signal);
    const map = this.map(this.layer(layer));
    const rows = Math.min(Math.ceil(map.rows / 2 ** level) - row * TILE, TILE);
    const columns = Math.min(Math.ceil(map.columns / 2 ** level) - column * TILE, TILE);
    const data = this.part(layer, level, channel, slice, row * TILE, column * TILE, rows, columns);
    return { data, shape: [rows, columns], exact: level === 0 };
  }

  /** The value at the middle of what a level's value stands for: enough to look at. */
  part(name: string, level: number, channel: number, slice: number, top: number, left: number, rows: number, columns: number): Float32Array {
    const made = this.layer(name).made ?? waves;
    const step = 2 ** level;
    const data = new Float32Array(rows * columns);
    for (let row = 0; row < rows; row++) {
      for (let column = 0; column < columns; column++) {
        data[row * columns + column] = made(channel, (top + row) * step, (left + column) * step, slice);
      }
    }
    return data;
  }

  layer(name: string): FakeLayer {
    const found = this.layers.find((layer) => layer.name === name);
    if (!found) throw new Error(`no layer ${name}`);
    return found;
  }

  private async wait(signal?: AbortSignal): Promise<void> {
    await new Promise((resolve) => setTimeout(resolve, this.delay));
    signal?.throwIfAborted();
  }

  pictureAddress = () => "about:blank";
  originalAddress = () => "about:blank";
  fileAddress = (run: string, layer: string, channel: number | null, kind: string) => `/${run}/${layer}/${channel}.${kind}`;
  watch = () => () => undefined;
  field = async () => null;
  derivation = (): Promise<DerivationFact> => this.never();
  kernels = (): Promise<KernelsFact> => this.never();
  kernelValues = (): Promise<Values> => this.never();
  explanation = (): Promise<ExplanationFact> => this.never();
  effective = (): Promise<[EffectiveFact, Values]> => this.never();
  addPicture = (): Promise<PictureFact> => this.never();
  addModel = (): Promise<ModelFact> => this.never();

  private never<T>(): Promise<T> {
    return Promise.reject(new Error("not in this source"));
  }
}
