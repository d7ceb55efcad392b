/** One lesson as it stands: its settings and numbers, where its window is, whether it moves, what was answered. */
import { drawnBy, format, type Kept } from "./address";
import type { Name, Settings, Counted, Numbers } from "./lessons";
import { boundsOf, makes, TAUGHT } from "./lessons";
import { placeIn } from "./numbers";
import { progress } from "./progress.svelte";
import { questionOf } from "./questions";
import { sightOf, type Sheet } from "./sheets";
import { biased, sceneOf } from "./working";

/** Milliseconds from window to window. */
const PACE = 900;

export class Lesson {
  settings = $state.raw<Settings>() as Settings;
  numbers = $state.raw<Numbers>() as Numbers;
  /** Which window, counted row by row. */
  step = $state(0);
  /** 1 while it plays, −1 while it plays backwards. */
  playing = $state<-1 | 0 | 1>(0);
  revealed = $state(false);
  /** What was typed and is no number that fits, until its field is left. */
  mistyped = $state<string | null>(null);
  #seed = $state(0);
  #timer: ReturnType<typeof setInterval> | undefined;

  readonly scene = $derived.by(() => sceneOf(this.name, this.settings, this.numbers));
  readonly count = $derived(this.scene.side ** 2);
  readonly sight = $derived.by(() => sightOf(this.name, this.settings, this.numbers, this.scene, this.step));
  readonly question = $derived.by(() => questionOf(this.name, this.settings, this.scene, this.step));

  /** How the value of this window comes about. */
  readonly working = $derived.by(() => {
    const made = this.scene.made[this.name === "field" ? this.settings.layers - 1 : this.settings.shown];
    return (made ?? this.scene.made[0])?.workings[this.step] ?? null;
  });
  /** What this window makes; not told while it is what is asked. */
  readonly value = $derived.by(() => {
    if (this.scene.after === null) return this.working?.total ?? null;
    return this.revealed ? (this.scene.after[this.settings.shown]?.numbers[this.step] ?? null) : null;
  });

  constructor(readonly name: Name) {
    this.settings = TAUGHT[name].start;
    this.numbers = TAUGHT[name].numbers();
  }

  /** Whether a bias is spoken of. */
  get biased(): boolean {
    return biased(this.name);
  }

  /** To a window; what moved stops there. */
  goTo(step: number): void {
    this.stop();
    this.#move(step);
  }

  /** So many windows on, or back; rows at a time with `down`. */
  turn(across: number, down = 0): void {
    this.goTo(this.step + across + down * this.scene.side);
  }

  /** To the window whose middle is nearest to this place of the input, in cells. */
  dragTo(row: number, column: number): void {
    const { stride, kernel, dilation } = this.settings;
    const half = (dilation * (kernel - 1) + 1) / 2;
    const along = (place: number) => Math.min(Math.max(Math.round((place - half) / stride), 0), this.scene.side - 1);
    this.goTo(along(row) * this.scene.side + along(column));
  }

  play(direction: 1 | -1): void {
    if (this.playing === direction) return this.stop();
    this.stop();
    const end = direction > 0 ? this.count - 1 : 0;
    if (this.step === end) this.#move(this.count - 1 - end);
    this.playing = direction;
    this.#timer = setInterval(() => {
      this.#move(this.step + direction);
      if (this.step === (direction > 0 ? this.count - 1 : 0)) this.stop();
    }, PACE);
  }

  stop(): void {
    clearInterval(this.#timer);
    this.playing = 0;
  }

  #move(step: number): void {
    this.step = Math.min(Math.max(step, 0), this.count - 1);
  }

  change(change: Partial<Settings>): void {
    this.stop();
    this.settings = { ...this.settings, ...change, shown: Math.min(change.shown ?? this.settings.shown, (change.filters ?? this.settings.filters) - 1) };
    this.#move(this.step);
  }

  /** Whether a count can go so far: within its bounds, and so that there is still something to make. */
  canCount(what: Counted, by: number): boolean {
    const value = this.settings[what] + by;
    const [least, most] = boundsOf(this.name, what);
    return value >= least && value <= most && makes(this.name, { ...this.settings, [what]: value });
  }

  countBy(what: Counted, by: number): void {
    if (this.canCount(what, by)) this.change({ [what]: this.settings[what] + by });
  }

  /** A number was typed into a sheet's cell. */
  type({ bank }: Sheet, row: number, column: number, value: number): void {
    if (!bank) return;
    const written = (numbers: number[]) => numbers.with(placeIn(row, column), value);
    const { inputs, kernels } = this.numbers;
    if (bank.of === "inputs") this.numbers = { ...this.numbers, inputs: inputs.map((one, n) => (n === bank.channel ? written(one) : one)) };
    else {
      const filters = kernels.map((filter, f) => (f === bank.filter ? filter.map((one, n) => (n === bank.channel ? written(one) : one)) : filter));
      this.numbers = { ...this.numbers, kernels: filters };
    }
  }

  setBias(value: number): void {
    this.numbers = { ...this.numbers, biases: this.numbers.biases.with(this.settings.shown, value) };
  }

  redraw(): void {
    this.stop();
    this.#seed++;
    this.numbers = drawnBy(this.name, this.#seed);
  }

  /** As at the beginning: settings and numbers; what was learned stays. */
  restart(): void {
    this.stop();
    this.#seed = 0;
    this.settings = TAUGHT[this.name].start;
    this.numbers = TAUGHT[this.name].numbers();
    this.step = 0;
  }

  /** Whether this is the answer; a right one reveals. */
  answer(value: number): boolean {
    const { answer, within } = this.question;
    const right = Math.abs(value - answer) <= within;
    if (right) this.reveal();
    return right;
  }

  reveal(): void {
    this.revealed = true;
    progress.finish(this.name);
  }

  /** As a link has kept it. */
  open({ settings, seed, numbers, step }: Kept): void {
    this.stop();
    this.#seed = seed;
    this.settings = settings;
    this.numbers = numbers;
    this.#move(step);
  }

  /** What a link to it as it stands is. */
  get address(): string {
    return format(this.name, { settings: this.settings, seed: this.#seed, numbers: this.numbers, step: this.step });
  }

  /** Whether there is a kernel whose numbers are a person's own. */
  get ownKernel(): boolean {
    return this.sight.read.flat().some((part) => typeof part !== "string" && part.bank?.of === "kernels");
  }

  /** The same as a line of the sketch language, for the playground. */
  get sketch(): string {
    return sketchOf(this.name, this.settings);
  }
}

export function sketchOf(name: Name, { kernel, stride, dilation, padding, filters, layers, pool, activation }: Settings): string {
  const words = [name === "pooling" ? `${pool === "max" ? "maxpool" : "avgpool"} ${kernel}x${kernel}` : `conv ${filters} ${kernel}x${kernel}`];
  if (name === "pooling" ? stride !== kernel : stride > 1) words.push(`stride ${stride}`);
  if (dilation > 1) words.push(`dilation ${dilation}`);
  if (padding > 0) words.push(`pad ${padding}`);
  const layer = words.join(" ");
  const lines = name === "field" ? Array.from({ length: layers }, () => layer) : [layer];
  const functions = { none: "", relu: "relu", leaky_relu: "leakyrelu", sigmoid: "sigmoid", tanh: "tanh" };
  if (functions[activation]) lines.push(functions[activation]);
  return lines.join(" | ");
}
