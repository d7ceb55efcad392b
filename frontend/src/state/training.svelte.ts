/**
 * A training on the page: which models are its steps, which one is shown, and the way from one to the next.
 *
 * A step is made ready before it is shown - its run has ended, and what is in sight is loaded - so that everything changes
 * at once and nothing flickers. The other steps are made ready in the background, as far as that is cheap.
 */
import { SvelteMap } from "svelte/reactivity";
import { piecesOf } from "../paint/pieces";
import { channelFacts } from "../panels/maps/facts.svelte";
import type { MapFact, ModelFact, NetworkFact, RunFact, SessionFact } from "../source/facts";
import type { View } from "./view.svelte";

/** Multiply-accumulates that the background may have a server do for all steps together. */
const CHEAP = 5e9;
const PACE = 700; // milliseconds a step is shown while it plays

/** The models that are steps of this training, in their order. */
export function stepsOfTraining(session: SessionFact | null, timeline: string | null): ModelFact[] {
  return timeline === null ? [] : (session?.models ?? []).filter((model) => model.step?.timeline === timeline);
}

/** The models as a person chooses among them: of a training its last step alone, which stands for all. */
export function choices(models: readonly ModelFact[], shown: string | null): ModelFact[] {
  const entry = new Map<string, ModelFact>();
  for (const model of models) if (model.step) entry.set(model.step.timeline, model);
  const here = models.find((model) => model.id === shown);
  if (here?.step) entry.set(here.step.timeline, here);
  return models.filter((model) => !model.step || entry.get(model.step.timeline) === model);
}

/** Whether two networks are steps of one training, or runs of one model, that took the same way. */
export function sameLayers(one: NetworkFact, other: NetworkFact): boolean {
  const training = one.model.step && one.model.step.timeline === other.model.step?.timeline;
  if (!training && one.model.id !== other.model.id) return false;
  return one.layers.length === other.layers.length && one.layers.every(({ name }, n) => other.layers[n]?.name === name);
}

/** Whether they are drawn alike too: with the same sizes. */
export function sameDrawing(one: NetworkFact, other: NetworkFact): boolean {
  const sizes = ({ inputs, layers }: NetworkFact) => JSON.stringify([inputs.map(({ shape }) => shape), layers.map(({ output_shape, macs }) => [output_shape, macs])]);
  return sameLayers(one, other) && sizes(one) === sizes(other);
}

interface Ready {
  network: NetworkFact;
  run: RunFact;
}

export class Training {
  /** The step that a person asked for, while it is made ready. */
  wanted = $state<string | null>(null);
  playing = $state(false);
  readonly steps: readonly ModelFact[] = $derived.by(() => {
    const session = this.#view.session;
    const model = session?.models.find(({ id }) => id === this.#view.model);
    return stepsOfTraining(session, model?.step?.timeline ?? null);
  });
  /** The place of the step that is shown, or will be in a moment; -1 where no training is shown. */
  readonly at: number = $derived.by(() => {
    const id = this.wanted ?? this.#view.model;
    return this.steps.findIndex((step) => step.id === id);
  });

  readonly #view: View;
  /** The steps that are ready, by model; all on the same picture. */
  readonly #ready = new SvelteMap<string, Ready>();
  readonly #largest = new SvelteMap<string, number>();
  /** Which training on which picture the ready ones are of. */
  #of = "";
  #loading: { model: string; controller: AbortController } | null = null;
  #timer: ReturnType<typeof setTimeout> | null = null;

  constructor(view: View) {
    this.#view = view;
  }

  /** Called whenever what is shown has changed: the run that has ended is ready, and the next one is made. */
  follow(): void {
    const { network, run, of: known } = this.#view;
    const { steps } = this;
    const of = JSON.stringify([steps[0]?.id, this.#view.picture, this.#view.recipe]);
    if (of !== this.#of) {
      this.#of = of;
      this.#ready.clear();
      this.#loading?.controller.abort();
      this.#loading = null;
      this.wanted = null;
    }
    if (steps.length === 0) return this.pause();
    const own = known !== null && "run" in known && known.run === run?.id;
    if (network && own && run?.state === "done" && run.model === network.model.id && run.picture === this.#view.picture && !this.#ready.has(run.model)) {
      this.#ready.set(run.model, { network, run });
    }
    this.#next();
  }

  /** Shows the step at this place. */
  go(place: number): void {
    const step = this.steps[Math.min(Math.max(place, 0), this.steps.length - 1)];
    if (!step) return;
    this.wanted = step.id === this.#view.model ? null : step.id;
    void this.#arrive();
    this.#next();
  }

  /** Goes `by` steps on; false where there is none. */
  move(by: number): boolean {
    if (!this.steps[this.at + by] || this.at < 0) return false;
    this.go(this.at + by);
    return true;
  }

  /** From here on, or from the beginning where this is the end. */
  play(): void {
    this.playing = true;
    if (this.at >= this.steps.length - 1) this.go(0);
    this.#tick();
  }

  pause(): void {
    this.playing = false;
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
  }

  /** A layer's maps with the extremes that they have at any step that is known, so that a colour means the same at all. */
  widened(map: MapFact): MapFact {
    if (this.steps.length === 0 || !this.#view.together) return map;
    const facts = [...this.#ready.values()].flatMap(({ run }) => run.maps.find(({ layer }) => layer === map.layer) ?? []);
    return { ...map, minimum: extreme(Math.min, [map, ...facts], "minimum"), maximum: extreme(Math.max, [map, ...facts], "maximum") };
  }

  /** The largest weight that a layer's kernels have at any step; null where it isn't known. */
  largest(layer: string): number | null {
    if (this.steps.length === 0 || !this.#view.together) return null;
    return this.#largest.get(`${this.steps[0]?.id} ${layer}`) ?? null;
  }

  /** Sees to it that `largest` is known, where that is cheap. */
  async measure(layer: string): Promise<void> {
    const key = `${this.steps[0]?.id} ${layer}`;
    if (this.steps.length === 0 || this.#largest.has(key) || this.#reach < this.steps.length) return;
    const facts = await Promise.all(this.steps.map(({ id }) => this.#view.source.kernels({ model: id }, layer))).catch(() => []); // lost: said elsewhere
    if (facts.length > 0) this.#largest.set(key, Math.max(...facts.map((fact) => Math.max(-fact.minimum, fact.maximum))));
  }

  /** How many steps to either side are made ready in the background. */
  get #reach(): number {
    const macs = this.#view.network?.macs ?? Infinity;
    if (!this.#view.source.can.run || macs * this.steps.length <= CHEAP) return this.steps.length;
    return macs <= CHEAP / 4 ? 1 : 0;
  }

  #tick(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      if (!this.playing) return;
      if (this.wanted !== null) return this.#tick(); // it is still on its way: no step is passed over
      if (!this.move(1)) return this.pause();
      this.#tick();
    }, PACE);
  }

  /** What is wanted first; then the neighbours, nearest first; then, where it is cheap, all the others. */
  #next(): void {
    const view = this.#view;
    const wish = this.#wish();
    if (this.#loading && this.wanted !== null && this.#loading.model !== this.wanted && wish === this.wanted) {
      this.#loading.controller.abort();
      this.#loading = null;
    }
    if (this.#loading || wish === null || view.picture === null || (view.progress && wish !== this.wanted)) return;
    void this.#load(wish);
  }

  #wish(): string | null {
    if (this.wanted !== null && !this.#ready.has(this.wanted)) return this.wanted;
    for (let off = 1, reach = this.#reach; off <= reach; off++) {
      for (const place of [this.at + off, this.at - off]) {
        const step = this.steps[place];
        if (step && !this.#ready.has(step.id)) return step.id;
      }
    }
    return null;
  }

  async #load(model: string): Promise<void> {
    const view = this.#view;
    const controller = new AbortController();
    this.#loading = { model, controller };
    const of = this.#of;
    try {
      const request = { model, picture: view.picture ?? "", recipe: view.recipe };
      const quiet = { started: () => undefined, arrived: () => undefined, ended: () => undefined };
      const run = await view.source.run(request, quiet, controller.signal);
      const network = await view.source.network(run.state === "done" ? { run: run.id } : { model });
      if (controller.signal.aborted || of !== this.#of) return;
      this.#ready.set(model, { network, run });
      void this.#arrive();
    } catch {
      if (controller.signal.aborted || of !== this.#of) return;
      if (this.wanted !== model) return; // in the background: it says what is wrong when a person goes there
      this.wanted = null;
      void view.chooseModel(model);
      return;
    } finally {
      if (this.#loading?.controller === controller) this.#loading = null;
    }
    this.#next();
  }

  /** Shows the wanted step, once it is ready and what is in sight is loaded. */
  async #arrive(): Promise<void> {
    const view = this.#view;
    const model = this.wanted;
    const ready = model === null ? undefined : this.#ready.get(model);
    if (!ready || model === null) return;
    const of = this.#of;
    if (ready.run.state !== "done") {
      this.wanted = null;
      return void view.chooseModel(model);
    }
    await this.#bring(ready);
    if (this.wanted !== model || of !== this.#of) return;
    this.wanted = null;
    view.become(ready.network, ready.run);
    this.#next();
    for (const by of [1, -1]) {
      const beside = this.#ready.get(this.steps[this.at + by]?.id ?? "");
      if (beside) void this.#bring(beside);
    }
  }

  /** Loads of a step what is in sight of the shown one. */
  async #bring({ run }: Ready): Promise<void> {
    const { source, layer, run: shown } = this.#view;
    if (!shown || layer === null) return;
    const loading = [piecesOf(source).like(shown.id, run.id, layer), channelFacts(source).ask(run.id, layer)];
    await Promise.all(loading).catch(() => undefined); // what is missing is asked for again by the panel that shows it
  }
}

function extreme(pick: (...values: number[]) => number, facts: readonly MapFact[], which: "minimum" | "maximum"): number | null {
  const known = facts.map((fact) => fact[which]).filter((value) => value !== null);
  return known.length > 0 ? pick(...known) : null;
}

const trainings = new WeakMap<View, Training>();

export function trainingOf(view: View): Training {
  let training = trainings.get(view);
  if (!training) trainings.set(view, (training = new Training(view)));
  return training;
}
