/** Why a value of a report's layer is what it is: explained in the page, from the numbers that the file carries. */
import { explain, type Described } from "../../arithmetic/explaining";
import { explanationFact, num } from "../../arithmetic/telling";
import type { Tensor } from "../../arithmetic/operations";
import type { ExplanationFact, LayerFact, PictureValueFact } from "../facts";
import { sizeOf } from "./arrays";
import type { HeldRun, Keeper, Known } from "./keeper";
import { NotHeld, type Reason } from "./reason";
import { fromMeans, partOf, planesOf, reduced, type Wanted } from "./planes";
import { stridesOf } from "./strides";

const LONG_WORK = 50_000_000; // multiply-accumulates after which one value is worked out without its layer

/** What is to be said beside a fact's numbers. */
export interface Said {
  /** Why the value isn't the framework's own. */
  near: Reason | null;
  /** The value stands for this many down and across. */
  means: number | null;
  /** Why the explanation is approximate, or isn't there. */
  reduced: Reason[];
}

export type Explained = [ExplanationFact | PictureValueFact, Said];

const NOTHING: Said = { near: null, means: null, reduced: [] };

export async function explained(keeper: Keeper, run: HeldRun, name: string, index: number[], groups: number): Promise<Explained> {
  const layer = run.layers.get(name);
  if (!layer) return [await pictureValue(keeper, run, name, index), NOTHING];
  const described: Described = { ...layer, operation: run.model.operations[name] ?? null, sums_in: run.model.sums_in[name] ?? null };
  const { roles, reduced: coding } = await keeper.weights(run.model, name);
  let sources: Known[] = [];
  let reduced: Reason[] = coding ? [{ weights: name, coding }] : [];
  try {
    sources = await keeper.sources(run, name, described.operation, roles);
    reduced.push(...sources.flatMap((source, n) => ofSource(layer.inputs[n] as string, source)));
  } catch (error) {
    if (!(error instanceof NotHeld)) throw error;
    reduced = [error.reason]; // the value can still be shown
  }
  const { value, near, means } = await valueAt(keeper, run, layer, index);
  const inputs = layer.inputs.map((input, n) => tensorOf(sources[n], shapeOf(run, input)));
  const working = sources.length || layer.inputs.length === 0 ? explain(described, index, inputs.slice(0, sources.length), roles) : null;
  if (run.model.left_out?.includes(name)) reduced = [{ left: name }];
  else if (!working && sources.length) reduced = []; // an arithmetic that isn't known isn't made worse by its numbers
  return [explanationFact(described, index, value, working, groups), { near, means, reduced }];
}

/** Why what is read isn't exact. */
function ofSource(name: string, source: Known): Reason[] {
  const reason = reasonOf(source);
  if (reason === null) return [];
  return ["says" in reason ? { read: name, says: reason.says } : reason];
}

async function pictureValue(keeper: Keeper, run: HeldRun, name: string, index: number[]): Promise<PictureValueFact> {
  const known = await keeper.values(run, name);
  return { input: name, index: [...index], value: num(known.data[flat(index, known.shape)] as number) };
}

async function valueAt(keeper: Keeper, run: HeldRun, layer: LayerFact, index: number[]): Promise<Omit<Said, "reduced"> & { value: number }> {
  const shape = layer.output_shape;
  if (layer.macs > LONG_WORK && !keeper.has(run, layer.name) && shape.length <= 3) {
    const convolver = await keeper.convolver(run, layer.name);
    if (convolver) {
      const line = new Float32Array(shape[shape.length - 1] as number);
      const row = shape.length === 3 ? (index[1] as number) : 0;
      convolver.rows(index[0] as number, 0, row, row + 1, line, 0);
      const value = line[index[index.length - 1] as number] as number;
      return { value, near: await keeper.doubt(run, layer.name), means: null };
    }
  }
  const known = await keeper.values(run, layer.name);
  const value = tensorOf(known, shape).data[flat(index, shape)] as number;
  return { value, near: reasonOf(known), means: known.level > 0 ? 2 ** known.level : null };
}

/** Values at their full resolution: means are repeated. */
function tensorOf(known: Known | undefined, shape: number[]): Tensor {
  if (!known) return { shape, data: new Float32Array(0) };
  if (known.level === 0) return known;
  const planes = planesOf(shape);
  const own = { ...planes, rows: reduced(planes.rows, known.level), columns: reduced(planes.columns, known.level) };
  const data = new Float32Array(sizeOf(shape));
  for (let map = 0; map < planes.channels * planes.slices; map++) {
    const [channel, slice] = [Math.floor(map / planes.slices), map % planes.slices];
    const means = partOf(known.data, own, channel, slice, [0, own.rows], [0, own.columns]);
    const whole: Wanted = { level: 0, rows: [0, planes.rows], columns: [0, planes.columns] };
    fromMeans(means, known.level, whole, data, map * planes.rows * planes.columns);
  }
  return { shape, data };
}

function shapeOf(run: HeldRun, name: string): number[] {
  return run.layers.get(name)?.output_shape ?? run.contents.inputs[name]?.shape ?? [];
}

function reasonOf(known: Known): Reason | null {
  return known.exact ? null : known.reason;
}

function flat(index: number[], shape: number[]): number {
  const strides = stridesOf(shape);
  return index.reduce((sum, place, axis) => sum + place * (strides[axis] as number), 0);
}
