/**
 * Answers every question about what a report's file holds. It lives in a worker, so that the page never waits; where none
 * can be started it answers in the page itself.
 */
import type * as Facts from "../facts";
import type { TilePlace, Values } from "../source";
import { integersOf, sizeOf } from "./arrays";
import { Blobs, type Texts } from "./blobs";
import type { ArrayFact, Contents, ModelContents, RunContents } from "./contents";
import { Keeper, type HeldRun, type Known } from "./keeper";
import { pause } from "./pausing";
import { fromMeans, meansInto, partOf, planesOf, reduced, type Planes, type Wanted } from "./planes";
import { NotHeld } from "./reason";
import { boxFact } from "./seeing";
import { surveyed } from "./surveying";
import { explained, type Explained } from "./why";

const TILE = 256;
const LONG_WORK = 50_000_000; // multiply-accumulates after which a tile is worked out before its layer

export type Held = Pick<Contents, "models" | "runs" | "checksums">;

export interface OpenedRun {
  run: Facts.RunFact;
  picture: number | null;
}

export class Desk {
  readonly #blobs: Blobs;
  readonly #keeper: Keeper;
  readonly #models = new Map<string, Promise<ModelContents>>();
  readonly #runs = new Map<string, Promise<HeldRun>>();
  readonly #channels = new Map<string, Promise<Facts.ChannelsFact>>();

  constructor(
    private readonly held: Held,
    texts: Texts,
  ) {
    this.#blobs = new Blobs(texts, held.checksums);
    this.#keeper = new Keeper(this.#blobs);
  }

  async network(model: string): Promise<Facts.NetworkFact> {
    return (await this.#model(model)).network;
  }

  async derivation(model: string, layer: string): Promise<Facts.DerivationFact> {
    return there((await this.#model(model)).derivations[layer], layer);
  }

  async kernels(model: string, layer: string): Promise<Facts.KernelsFact> {
    return there((await this.#model(model)).kernels[layer], layer);
  }

  async kernelValues(model: string, layer: string, first: number, count: number): Promise<Values> {
    const { roles, reduced: coding } = await this.#keeper.weights(await this.#model(model), layer);
    if (!roles.kernel && (await this.#model(model)).left_out?.includes(layer)) throw new NotHeld({ left: layer });
    const kernel = there(roles.kernel, layer);
    const [filters = 0, ...shape] = kernel.shape;
    const each = sizeOf(shape);
    const last = Math.min(first + count, filters);
    const data = Float32Array.from(kernel.data.subarray(first * each, last * each));
    return { data, shape: [last - first, ...shape], exact: coding === null };
  }

  async open(run: string): Promise<OpenedRun> {
    const { contents } = await this.#run(run);
    return { run: contents.run, picture: contents.picture };
  }

  /** How the values of each layer are got. */
  async plans(run: string): Promise<RunContents["plans"]> {
    return (await this.#run(run)).contents.plans;
  }

  channels(run: string, layer: string): Promise<Facts.ChannelsFact> {
    const name = `${run} ${layer}`;
    const known = this.#channels.get(name) ?? this.#surveyed(run, layer);
    this.#channels.set(name, known);
    known.catch(() => this.#channels.delete(name));
    return known;
  }

  /** Whole maps at one level; while they aren't at hand, coarser means will do for `soon`. */
  async maps(
    run: string,
    layer: string,
    level: number,
    channels: number[],
    slice: number,
    soon = false,
    signal?: AbortSignal,
  ): Promise<Values> {
    const held = await this.#run(run);
    const { planes, known, standsIn } = await this.#at(held, layer, level, soon);
    signal?.throwIfAborted();
    const rows = reduced(planes.rows, level);
    const columns = reduced(planes.columns, level);
    const data = new Float32Array(channels.length * rows * columns);
    channels.forEach((channel, n) => {
      this.#fill(known, planes, { channel, slice, level, rows: [0, rows], columns: [0, columns] }, data, n * rows * columns);
    });
    return { data, shape: [channels.length, rows, columns], exact: level === 0 && known.exact, standsIn };
  }

  async tile(run: string, place: TilePlace, signal?: AbortSignal): Promise<Values> {
    const held = await this.#run(run);
    const { layer, level, channel, slice } = place;
    const planes = planesOf(mapOf(held, layer).shape);
    const rows = span(place.row, reduced(planes.rows, level));
    const columns = span(place.column, reduced(planes.columns, level));
    const shape = [rows[1] - rows[0], columns[1] - columns[0]];
    const data = new Float32Array(sizeOf(shape));
    if (level === 0 && (await this.#strip(held, place, { rows, columns }, data, signal))) {
      return { data, shape, exact: (await this.#keeper.doubt(held, layer)) === null };
    }
    const { known } = await this.#at(held, layer, level);
    signal?.throwIfAborted();
    this.#fill(known, planes, { channel, slice, level, rows, columns }, data, 0);
    return { data, shape, exact: level === 0 && known.exact };
  }

  async explanation(run: string, layer: string, index: number[], groups: number): Promise<Explained> {
    return explained(this.#keeper, await this.#run(run), layer, index, groups);
  }

  async field(run: string, layer: string, index: number[]): Promise<Facts.BoxFact | null> {
    const held = await this.#run(run);
    const field = there(held.layers.get(layer), layer).receptive_field;
    if (!field) return null;
    const seen = held.contents.seen[layer];
    const tableOf = async (table: ArrayFact) => ({ shape: table.shape, data: await integersOf(this.#blobs, table) });
    const tables = seen ? await Promise.all(seen.tables.map(tableOf)) : null;
    const picture = held.model.network.inputs.find((given) => given.shape.length >= 2);
    const { rows, columns } = held.contents.run;
    const sizes = field.size.length === 2 ? [rows, columns] : (picture?.shape.slice(1) ?? []).map((size) => size ?? columns);
    return boxFact(field, index, tables, seen?.exact ?? false, sizes);
  }

  #model(id: string): Promise<ModelContents> {
    let known = this.#models.get(id);
    if (!known) {
      known = this.#heldModel(id);
      this.#models.set(id, known);
    }
    return known;
  }

  async #heldModel(id: string): Promise<ModelContents> {
    const model = await this.#blobs.json<ModelContents>(there(this.held.models[id], id));
    bare(model.derivations, model.kernels, model.operations, model.sums_in, model.weights);
    return model;
  }

  #run(id: string): Promise<HeldRun> {
    let known = this.#runs.get(id);
    if (!known) {
      known = this.#heldRun(id);
      this.#runs.set(id, known);
    }
    return known;
  }

  async #heldRun(id: string): Promise<HeldRun> {
    const listed = there(this.held.runs.find((run) => run.id === id), id);
    const [model, contents] = await Promise.all([this.#model(listed.model), this.#blobs.json<RunContents>(listed.blob)]);
    bare(contents.inputs, contents.plans, contents.seen);
    return { id, model, contents, layers: new Map(model.network.layers.map((layer) => [layer.name, layer])) };
  }

  async #surveyed(run: string, layer: string): Promise<Facts.ChannelsFact> {
    const held = await this.#run(run);
    const told = held.contents.plans[layer]?.overview?.channels;
    if (told) return told; // the colours needn't wait for the values
    const known = await this.#keeper.values(held, layer);
    await pause();
    return { ...surveyed(layer, known.data, known.shape[0] ?? 1), near: !known.exact };
  }

  /** The values from which a layer is shown at a level: an overview serves, or stands in, where they aren't at hand. */
  async #at(run: HeldRun, layer: string, level: number, soon = false): Promise<{ planes: Planes; known: Known; standsIn: boolean }> {
    const planes = planesOf(mapOf(run, layer).shape);
    const overview = run.contents.plans[layer]?.overview;
    if (!overview || this.#keeper.has(run, layer) || (!soon && level < overview.level)) {
      return { planes, known: await this.#keeper.values(run, layer), standsIn: false };
    }
    return { planes, known: await this.#keeper.overview(run, layer, overview), standsIn: level < overview.level };
  }

  /** Rows and columns, counted at `level`, of one map, from the values that there are. */
  #fill(known: Known, planes: Planes, wanted: Place, into: Float32Array, at: number): void {
    const { channel, slice, level, rows, columns } = wanted;
    const scale = 2 ** level;
    if (known.level === 0) {
      const down: [number, number] = [rows[0] * scale, Math.min(rows[1] * scale, planes.rows)];
      const right: [number, number] = [columns[0] * scale, Math.min(columns[1] * scale, planes.columns)];
      meansInto(partOf(known.data, planes, channel, slice, down, right), level, into, at);
      return;
    }
    const own = { ...planes, rows: reduced(planes.rows, known.level), columns: reduced(planes.columns, known.level) };
    fromMeans(partOf(known.data, own, channel, slice, [0, own.rows], [0, own.columns]), known.level, wanted, into, at);
  }

  /** Works out the rows of a tile alone, where its whole layer takes long; false where that can't be. */
  async #strip(run: HeldRun, place: TilePlace, ends: Ends, into: Float32Array, signal?: AbortSignal): Promise<boolean> {
    const { layer } = place;
    const { rows, columns } = ends;
    const fact = run.layers.get(layer);
    if (!fact || fact.macs < LONG_WORK || this.#keeper.has(run, layer)) return false;
    const convolver = await this.#keeper.convolver(run, layer);
    if (!convolver) return false;
    const wide = planesOf(fact.output_shape).columns;
    const line = new Float32Array(wide * 16);
    for (let row = rows[0]; row < rows[1]; row += 16) {
      await pause(signal);
      const last = Math.min(row + 16, rows[1]);
      convolver.rows(place.channel, place.slice, row, last, line, 0);
      for (let n = row; n < last; n++) {
        const from = (n - row) * wide;
        into.set(line.subarray(from + columns[0], from + columns[1]), (n - rows[0]) * (columns[1] - columns[0]));
      }
    }
    return true;
  }
}

type Ends = Pick<Wanted, "rows" | "columns">;

interface Place extends Wanted {
  channel: number;
  slice: number;
}

/** A layer may be called `constructor`: by their names nothing but what is in the file is to be found. */
function bare(...records: object[]): void {
  for (const record of records) Object.setPrototypeOf(record, null);
}

function there<T>(found: T | null | undefined, name: string): T {
  if (found === null || found === undefined) throw new NotHeld({ missing: name });
  return found;
}

function mapOf(run: HeldRun, layer: string): Facts.MapFact {
  return there(run.contents.run.maps.find((map) => map.layer === layer), layer);
}

function span(number: number, length: number): [number, number] {
  return [number * TILE, Math.min((number + 1) * TILE, length)];
}
