/**
 * Works out a line of blocks on a picture: at once from a reduced picture where the whole one would take long, then from the
 * whole one, a piece at a time, so that a newer order needn't wait. What hasn't changed isn't worked out again.
 */
import type { Tensor } from "../arithmetic/operations";
import { meansInto, partOf, reduced, type Planes } from "../source/embedded/planes";
import { pause } from "../source/embedded/pausing";
import { written } from "./blocks";
import { explained } from "./explaining";
import { fit, product, type Fit } from "./geometry";
import { parse } from "./language";
import { work } from "./layers";
import type { Sign } from "../panels/maps/order";
import type { Asked, Order, Sheet, Shown, Told } from "./orders";
import { weightsOf, type Weights } from "./weights";

const AT_ONCE = 30; // milliseconds of work before something is to be seen: sending and painting need as much again
const SMALLEST = 3; // the picture's sides are never reduced to less than 1/2^3
const MOST_VALUES = 80_000_000; // of all layers together: 320 MB
const MOST_SHOWN = 2_500_000; // numbers sent to the page for one layer
const MOST_CHANNELS = 64;
const SIDE = 560; // no map is shown larger
const SIDE_AT_FIRST = 280; // ... while the whole picture is still to come
/** What a value costs beside its multiplications, counted in these: read or written, and looked through to be shown. */
const VALUE_COST = 8;

interface Kept {
  readonly key: string;
  readonly tensor: Tensor;
}

export class Workshop {
  /** The picture at each level of detail. */
  #pictures: Sheet[] = [];
  #version = 0;
  #newest = 0;
  /** The last layers at each level. */
  readonly #kept = new Map<number, Kept[]>();
  /** What the maps of the whole picture were made by. */
  #made: { fits: readonly Fit[]; weights: readonly (Weights | null)[] } | null = null;
  /** Multiplications a millisecond, as measured. */
  #speed = 150_000;

  constructor(private readonly tell: (message: Told, moved?: Transferable[]) => void) {}

  receive(message: Asked): void {
    if (message.kind === "picture") this.#take(message.sheet);
    else if (message.kind === "work") void this.#work(message.order);
    else this.#read(message);
  }

  #take(sheet: Sheet): void {
    this.#pictures = [sheet];
    for (let level = 1; level <= SMALLEST; level++) this.#pictures.push(smaller(sheet, level));
    this.#version++;
    this.#newest = -1;
    this.#kept.clear();
  }

  async #work(order: Order): Promise<void> {
    this.#newest = order.id;
    try {
      const fits = this.#fits(order, 0);
      const level = this.#levelFor(order);
      if (level > 0) await this.#workAt(order, level, this.#fits(order, level), false);
      const values = fits.reduce((sum, one) => sum + product(one.output), 0);
      if (values > MOST_VALUES) this.tell({ kind: "refused", id: order.id, values });
      else await this.#workAt(order, 0, fits, true);
    } catch (error) {
      if (order.id === this.#newest) this.tell({ kind: "failed", id: order.id, message: error instanceof Error ? error.message : String(error) });
    }
  }

  #fits(order: Order, level: number): Fit[] {
    const picture = this.#pictures[level];
    if (!picture) throw new Error("There is no picture yet");
    return fit(order.text, parse(order.text), picture.shape);
  }

  /** The level whose maps are there in time; the network must fit the smaller picture as well. */
  #levelFor(order: Order): number {
    for (let level = 0; level <= SMALLEST; level++) {
      try {
        const fits = this.#fits(order, level);
        if (this.#costOf(order, fits, level) / this.#speed <= AT_ONCE || level === SMALLEST) return level;
      } catch {
        return Math.max(0, level - 1);
      }
    }
    return SMALLEST;
  }

  #costOf(order: Order, fits: readonly Fit[], level: number): number {
    const kept = this.#kept.get(level) ?? [];
    return keysOf(order, fits, this.#version).reduce((sum, key, n) => {
      const one = fits[n] as Fit;
      return kept[n]?.key === key ? sum : sum + costOf(one);
    }, 0);
  }

  async #workAt(order: Order, level: number, fits: readonly Fit[], divided: boolean): Promise<void> {
    const weights = weightsOf(fits, order.seed, order.edits, order.given);
    const keys = keysOf(order, fits, this.#version);
    const before = this.#kept.get(level) ?? [];
    const found: Kept[] = [];
    const cost = this.#costOf(order, fits, level);
    let source = this.#pictures[level] as Tensor;
    let done = 0;
    let busy = 0;
    for (const [n, one] of fits.entries()) {
      const key = keys[n] as string;
      const known = before[n];
      if (known?.key === key) {
        found.push(known);
        source = known.tensor;
        continue;
      }
      const started = work(one.block, weights[n] as Weights | null, source, one.output);
      const own = costOf(one);
      for (let piece = 0; piece < started.pieces; piece++) {
        const since = performance.now();
        started.piece(piece);
        busy += performance.now() - since;
        done += own / started.pieces;
        if (!divided) continue;
        await pause();
        if (order.id !== this.#newest) return;
        if (piece % 8 === 7) this.tell({ kind: "progress", id: order.id, share: done / cost });
      }
      source = { shape: [...one.output], data: started.data };
      found.push({ key, tensor: source });
    }
    if (order.id !== this.#newest) return;
    if (done > 1e6 && busy > 5) this.#speed = 0.5 * this.#speed + (0.5 * done) / busy;
    this.#kept.set(level, found);
    if (level === 0) this.#made = { fits, weights };
    const layers = found.map(({ tensor }) => shownOf(tensor, divided ? SIDE : SIDE_AT_FIRST));
    this.tell({ kind: "maps", id: order.id, level, layers }, layers.map((layer) => layer.data.buffer as ArrayBuffer));
    if (!divided) await pause();
  }

  /** One value of the whole picture's maps. */
  #read({ id, place, explain }: Extract<Asked, { kind: "window" }>): void {
    const { layer, channel, row, column } = place;
    const kept = this.#kept.get(0);
    const tensor = kept?.[layer]?.tensor;
    const made = this.#made;
    const { rows, columns } = planes(tensor?.shape ?? [0]);
    const value = tensor?.data[(channel * rows + row) * columns + column];
    if (!tensor || value === undefined || !made) return this.tell({ kind: "window", id, found: null });
    const fit = made.fits[layer] as Fit;
    const source = layer === 0 ? (this.#pictures[0] as Tensor) : (kept[layer - 1] as Kept).tensor;
    const reads = layer === 0 ? "picture" : (made.fits[layer - 1] as Fit).block.name;
    const index = [channel, row, column].slice(0, tensor.shape.length);
    const why = explain ? explained(fit, reads, made.weights[layer] ?? null, source, index, value) : null;
    this.tell({ kind: "window", id, found: { ...place, value, why } });
  }
}

function costOf({ block, macs, input, output }: Fit): number {
  const read = block.kind === "maxpool" || block.kind === "avgpool" ? product(input) : 0;
  return macs + VALUE_COST * (product(output) + read);
}

/** What a layer's values depend on: everything up to it. */
function keysOf(order: Order, fits: readonly Fit[], version: number): string[] {
  let key = `${version} ${order.seed} ${order.given?.name ?? ""}`;
  return fits.map(({ block }, n) => {
    const typed = order.edits.filter((edit) => edit.block === n).map((edit) => `${edit.role}${edit.index.join(".")}=${edit.value}`);
    key += `|${written(block)} ${typed.join(" ")}`;
    return key;
  });
}

function planes(shape: readonly number[]): Planes {
  const [channels = 1, rows = 1, columns = 1] = shape;
  return { channels, slices: 1, rows, columns };
}

function smaller(sheet: Sheet, level: number): Sheet {
  const own = planes(sheet.shape);
  const [rows, columns] = [reduced(own.rows, level), reduced(own.columns, level)];
  const data = new Float32Array(own.channels * rows * columns);
  for (let channel = 0; channel < own.channels; channel++) {
    meansInto(partOf(sheet.data, own, channel, 0, [0, own.rows], [0, own.columns]), level, data, channel * rows * columns);
  }
  return { shape: [own.channels, rows, columns], data };
}

/** The first channels of a layer as they are shown, and the extremes of all of them. */
export function shownOf(tensor: Tensor, side = SIDE): Shown {
  const own = planes(tensor.shape);
  const channels = Math.min(own.channels, MOST_CHANNELS);
  let level = 0;
  while (reduced(Math.max(own.rows, own.columns), level) > side || channels * reduced(own.rows, level) * reduced(own.columns, level) > MOST_SHOWN) level++;
  const [rows, columns] = [reduced(own.rows, level), reduced(own.columns, level)];
  const data = new Float32Array(channels * rows * columns);
  const from = tensor.data as Float32Array;
  for (let channel = 0; channel < channels; channel++) {
    meansInto(partOf(from, own, channel, 0, [0, own.rows], [0, own.columns]), level, data, channel * rows * columns);
  }
  let [minimum, maximum] = [Infinity, -Infinity];
  for (let n = 0; n < from.length; n++) {
    const value = from[n] as number;
    if (value < minimum && value !== -Infinity) minimum = value;
    if (value > maximum && value !== Infinity) maximum = value;
  }
  const finite = minimum <= maximum;
  return { shape: tensor.shape, minimum: finite ? minimum : null, maximum: finite ? maximum : null, level, signs: signsOf(from, channels, own.rows * own.columns), channels, rows, columns, data };
}

/** What has to be known of a channel before its colours are trusted. */
function signsOf(values: Float32Array, channels: number, size: number): (Sign | null)[] {
  return Array.from({ length: channels }, (_, channel) => {
    const own = values.subarray(channel * size, (channel + 1) * size);
    if (own.some(Number.isNaN)) return "nan";
    if (own.some((value) => !Number.isFinite(value))) return "infinite";
    const first = own[0];
    if (size === 1 || own.some((value) => value !== first)) return null;
    return first === 0 ? "dead" : "constant";
  });
}
