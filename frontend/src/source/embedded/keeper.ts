/** The values of the layers of a report's runs: read or worked out when they are asked for, upstream first, and kept. */
import type { Convolution, Operation, Tensor } from "../../arithmetic/operations";
import { read } from "../../arithmetic/reading";
import type { LayerFact } from "../facts";
import { integersOf, sizeOf, valuesOf } from "./arrays";
import type { Blobs } from "./blobs";
import type { ArrayFact, ModelContents, Order, Overview, Plan, RunContents } from "./contents";
import { Convolver } from "./convolving";
import { crcOf } from "./crc";
import { byFormula } from "./formulas";
import { Kept } from "./kept";
import { pause } from "./pausing";
import { planesOf } from "./planes";
import { NotHeld, type Reason } from "./reason";
import { corrected } from "./steps";

const MOST = 256_000_000; // bytes of values that are kept, and of weights
const PIECE = 6_000_000; // multiply-accumulates between two looks at the clock

/** Values of a layer or of an input. `level` > 0: means over 2^level x 2^level values, (channels, slices, rows, columns). */
export interface Known {
  data: Float32Array;
  shape: number[];
  level: number;
  /** Whether they are the framework's own, bit for bit. */
  exact: boolean;
  /** Why they aren't. */
  reason: Reason | null;
}

/** A run with its model, as the file has them. */
export interface HeldRun {
  id: string;
  model: ModelContents;
  contents: RunContents;
  layers: Map<string, LayerFact>;
}

export interface Weighed {
  roles: Record<string, Tensor>;
  /** The coding of the weights that had to be reduced. */
  reduced: ArrayFact["coding"] | null;
}

export class Keeper {
  readonly #values = new Kept<Known>(MOST, (known) => known.data.byteLength);
  readonly #weights = new Kept<Weighed>(MOST, (found) => Object.values(found.roles).reduce((sum, one) => sum + one.data.byteLength, 0));
  readonly #convolvers = new Kept<Convolver>(MOST / 4, (made) => made.bytes);

  constructor(private readonly blobs: Blobs) {}

  /** Whether the values of a layer are at hand. */
  has(run: HeldRun, name: string): boolean {
    return this.#values.has(`${run.id} ${name}`);
  }

  values(run: HeldRun, name: string): Promise<Known> {
    return this.#values.get(`${run.id} ${name}`, () => this.#made(run, name));
  }

  /** Means that stand for the values until these are worked out. */
  async overview(run: HeldRun, name: string, means: Overview): Promise<Known> {
    return this.#values.get(`${run.id} ${name} overview`, async () => {
      return { data: await valuesOf(this.blobs, means.array), shape: means.array.shape, level: means.level, exact: false, reason: null };
    });
  }

  weights(model: ModelContents, layer: string): Promise<Weighed> {
    return this.#weights.get(`${model.network.model.id} ${layer}`, () => this.#read(model.weights[layer] ?? {}));
  }

  /** A convolution that can be worked out in parts, where a layer is one and needs no corrections. */
  async convolver(run: HeldRun, name: string): Promise<Convolver | null> {
    const plan = run.contents.plans[name];
    const operation = run.model.operations[name];
    const ready = (plan?.how === "ordered" && !plan.off) || plan?.how === "worked";
    return ready && operation?.type === "Convolution" ? this.#convolver(run, name, operation, plan.order) : null;
  }

  /**
   * Why a layer's values, worked out in parts, aren't the framework's own, or can't be called that: the checksum is one of
   * the whole layer, so all that they are made of has to be exact, and in the order that gives the checksum.
   */
  async doubt(run: HeldRun, name: string): Promise<Reason | null> {
    const plan = run.contents.plans[name];
    if (!plan) return { missing: name };
    if (plan.says !== null) return { says: plan.says };
    const { roles, reduced } = await this.weights(run.model, name);
    if (reduced) return { weights: name, coding: reduced };
    const sources = await this.sources(run, name, run.model.operations[name] ?? null, roles);
    for (const [n, { exact, reason }] of sources.entries()) {
      if (!exact) return reason && "says" in reason ? { read: run.layers.get(name)?.inputs[n] ?? name, says: reason.says } : (reason ?? { unlike: name });
    }
    return plan.exact && plan.crc !== null ? null : { unlike: name };
  }

  async #read(arrays: Record<string, ArrayFact>): Promise<Weighed> {
    const roles: Record<string, Tensor> = {};
    let reduced: Weighed["reduced"] = null;
    for (const [role, array] of Object.entries(arrays)) {
      const data = array.coding === "i32" ? await integersOf(this.blobs, array) : await valuesOf(this.blobs, array);
      roles[role] = { shape: array.shape, data };
      if (!array.exact) reduced = array.coding;
    }
    return { roles, reduced };
  }

  async #made(run: HeldRun, name: string): Promise<Known> {
    const given = run.contents.inputs[name];
    if (given) return { data: await valuesOf(this.blobs, given), shape: given.shape, level: 0, exact: given.exact, reason: null };
    const plan = run.contents.plans[name];
    if (!plan) throw new NotHeld({ missing: name });
    const [data, shape] = await this.#worked(run, name, plan);
    const level = plan.how === "values" ? plan.level : 0;
    if (plan.crc !== null && crcOf(data) !== plan.crc) return { data, shape, level, exact: false, reason: { unlike: name } };
    return { data, shape, level, exact: plan.exact, reason: plan.says === null ? null : { says: plan.says } };
  }

  async #worked(run: HeldRun, name: string, plan: Plan): Promise<[Float32Array, number[]]> {
    if (plan.how === "values") return [await valuesOf(this.blobs, plan.array), plan.array.shape];
    const shape = (run.layers.get(name) as LayerFact).output_shape;
    const operation = run.model.operations[name] ?? null;
    if (plan.how === "formula") {
      const { roles } = await this.weights(run.model, name);
      const sources = await this.sources(run, name, operation, roles);
      await pause();
      const found = byFormula(operation, shape, sources, roles);
      if (!found || found.length !== sizeOf(shape)) throw new NotHeld({ missing: name });
      return [plan.off ? corrected(found, await integersOf(this.blobs, plan.off)) : found, shape];
    }
    if (operation?.type !== "Convolution") throw new NotHeld({ missing: name });
    const convolver = await this.#convolver(run, name, operation, plan.order);
    const found = await convolved(convolver, operation, shape);
    const off = plan.how === "ordered" ? plan.off : null;
    return [off ? corrected(found, await integersOf(this.blobs, off)) : found, shape];
  }

  /** What a layer reads, whole. */
  async sources(run: HeldRun, name: string, operation: Operation | null, roles: Record<string, Tensor>): Promise<Known[]> {
    const names = run.layers.get(name)?.inputs ?? [];
    const needed = read(operation, names.map(() => ({ shape: [], data: new Float32Array(0) })), roles).length;
    const found: Known[] = [];
    for (const source of names.slice(0, needed)) found.push(await this.values(run, source));
    return found;
  }

  #convolver(run: HeldRun, name: string, operation: Convolution, order: Order): Promise<Convolver> {
    return this.#convolvers.get(`${run.id} ${name}`, async () => {
      const { roles } = await this.weights(run.model, name);
      const { kernel, bias } = roles;
      const [source] = await this.sources(run, name, operation, roles);
      if (!source || source.level > 0 || !kernel) throw new NotHeld({ missing: name });
      const shape = (run.layers.get(name) as LayerFact).output_shape;
      return new Convolver(operation, order, source, { kernel, bias }, shape.slice(1));
    });
  }
}

/** Every filter's map, with pauses. */
async function convolved(convolver: Convolver, operation: Convolution, shape: number[]): Promise<Float32Array> {
  const { channels, rows, columns } = planesOf(shape);
  const depths = sizeOf(shape) / Math.max(1, channels * rows * columns);
  const found = new Float32Array(sizeOf(shape));
  const work = sizeOf(operation.kernel_size) * (operation.in_channels / operation.groups) * columns;
  const together = Math.max(1, Math.floor(PIECE / work));
  for (let filter = 0; filter < channels; filter++) {
    for (let depth = 0; depth < depths; depth++) {
      const at = (filter * depths + depth) * rows * columns;
      for (let row = 0; row < rows; row += together) {
        convolver.rows(filter, depth, row, Math.min(rows, row + together), found, at + row * columns);
        if (rows * work > PIECE / 8 || filter % 16 === 0) await pause();
      }
    }
  }
  return found;
}
