/** One network of the playground: its line, its blocks, its seed, what was typed over its weights, and its maps. */
import { writtenAll, type Block } from "./blocks";
import { FIRST, type Setup } from "./address";
import { given, UNTRAINED } from "./digits";
import { followed } from "./following";
import { fit, type Fit, type Shape } from "./geometry";
import { parse } from "./language";
import type { Order, Place, Sheet, Shown, Told, Window } from "./orders";
import { Mistake } from "./mistake";
import { carrying, weightsOf, type Edit, type Weights } from "./weights";
import { Working } from "./working";

/** What is wrong where the picture is too small. */
const SMALL: readonly string[] = ["kernelLarger", "kernelSpans", "windowLarger"];

export class Variant {
  /** The line as it is typed; `good` is the last that made sense. */
  text = $state("");
  good = $state.raw("");
  seed = $state(0);
  edits = $state.raw<readonly Edit[]>([]);
  /** The step of a training whose weights it has. */
  step = $state<string | undefined>();
  mistake = $state.raw<Mistake | null>(null);
  fits = $state.raw<readonly Fit[]>([]);
  /** The place of the block that is looked at, as it was chosen last. */
  chosen = $state(0);
  readonly place = $derived(Math.min(this.chosen, Math.max(0, this.fits.length - 1)));
  /** The picture is none that this network reads: blocks and maps are those of the picture before. */
  unfit = $state(false);
  readonly tooSmall = $derived(this.unfit && this.mistake !== null && SMALL.includes(this.mistake.problem.key));

  /** The maps that are shown: of which line, at which level of the picture. */
  maps = $state.raw<readonly Shown[]>([]);
  level = $state(0);
  /** How far the whole picture is; null where nothing is on its way. */
  progress = $state<number | null>(null);
  /** So many values would be too many. */
  refused = $state<number | null>(null);
  failed = $state("");

  readonly weights: readonly (Weights | null)[] = $derived(weightsOf(this.fits, this.seed, this.edits, given(this.step)));
  /** The blocks that have the weights of the training. */
  readonly trained: readonly string[] = $derived(carrying(this.fits, given(this.step)));
  readonly parameters = $derived(this.fits.reduce((sum, one) => sum + one.parameters, 0));
  readonly macs = $derived(this.fits.reduce((sum, one) => sum + one.macs, 0));

  readonly #working = new Working((message) => this.#told(message));
  #shape: Shape | null = null;
  #id = 0;
  /** What was there when the line began to be typed: halfway through it, a block may seem gone that comes back. */
  #before: { blocks: readonly Block[]; edits: readonly Edit[] } | null = null;
  /** The order that is worked on and has shown nothing yet, and the newest behind it. */
  #busy = false;
  #next: Order | null = null;

  constructor(setup: Setup) {
    this.text = this.good = setup.text;
    this.seed = setup.seed;
    this.edits = setup.edits;
    this.chosen = setup.chosen;
    this.step = setup.step;
  }

  get setup(): Setup {
    return { text: this.good, seed: this.seed, edits: this.edits, chosen: this.fits.length ? this.place : this.chosen, ...(this.step ? { step: this.step } : {}) };
  }

  get blocks(): readonly Block[] {
    return this.fits.map((one) => one.block);
  }

  /** Another picture, for this network or for the one that it then becomes. */
  picture(sheet: Sheet, setup?: Setup): void {
    this.#shape = sheet.shape;
    this.#working.picture(sheet);
    this.#busy = false;
    if (setup) this.become(setup);
    else this.#read(this.good);
  }

  /** A line was typed: where it says something, the network follows; else the last good one stays. */
  type(text: string): void {
    this.#before ??= { blocks: this.blocks, edits: this.edits };
    const { blocks, edits } = this.#before;
    this.text = text;
    this.#read(text, (now) => followed(edits, blocks, now));
  }

  /** The line is typed to its end. */
  typedAll(): void {
    this.#before = null;
  }

  /** What is wrong with these blocks, or nothing. */
  wrong(blocks: readonly Block[]): Mistake | null {
    try {
      const text = writtenAll(blocks);
      fit(text, parse(text), this.#shape ?? []);
      return null;
    } catch (error) {
      if (error instanceof Mistake) return error;
      throw error;
    }
  }

  /** The blocks were changed: the line follows. `edits` as they then are. */
  build(blocks: readonly Block[], edits: readonly Edit[] = this.edits): void {
    this.#before = null;
    this.text = writtenAll(blocks);
    this.#read(this.text, () => edits);
  }

  draw(seed: number): void {
    this.seed = seed;
    if (this.step) this.step = UNTRAINED;
    this.#order();
  }

  typeWeights(edits: readonly Edit[]): void {
    this.#before = null;
    this.edits = edits;
    this.#order();
  }

  become(setup: Setup): void {
    this.#before = null;
    this.seed = setup.seed;
    this.chosen = setup.chosen;
    this.step = setup.step;
    this.text = setup.text;
    this.#read(setup.text, () => setup.edits);
  }

  /** A value of the whole picture's maps. */
  value(place: Place, explain = false): Promise<Window | null> {
    return this.#working.value(place, explain);
  }

  stop(): void {
    this.#working.stop();
  }

  #read(text: string, edits: (blocks: readonly Block[]) => readonly Edit[] = () => this.edits): void {
    if (!this.#shape) return;
    try {
      this.fits = fit(text, parse(text), this.#shape);
      this.good = text;
      this.edits = edits(this.blocks);
      this.mistake = null;
      this.unfit = false;
    } catch (error) {
      if (!(error instanceof Mistake)) throw error;
      this.mistake = error;
      this.unfit = this.fits.length > 0 && String(this.fits[0]?.input) !== String(this.#shape);
      if (this.fits.length || !text) return;
      this.#begin(text);
    }
    this.#order();
  }

  /** A line that never made sense, as an old link's may be: as much of it as does. */
  #begin(text: string): void {
    const parts = text.split("|");
    for (let count = parts.length - 1; count >= 0; count--) {
      const line = count ? parts.slice(0, count).join("|").trim() : FIRST.text;
      try {
        this.fits = fit(line, parse(line), this.#shape ?? []);
        this.good = line;
        return;
      } catch {
        // a shorter one, then
      }
    }
  }

  #order(): void {
    if (!this.fits.length) return;
    const order: Order = { id: ++this.#id, text: this.good, seed: this.seed, edits: this.edits.map((edit) => ({ ...edit, index: [...edit.index] })), given: given(this.step) };
    this.refused = null;
    this.failed = "";
    if (this.#busy) this.#next = order;
    else this.#send(order);
  }

  #send(order: Order): void {
    this.#busy = true;
    this.#next = null;
    this.#working.work(order);
  }

  #told(message: Told): void {
    if (message.kind === "progress") {
      if (message.id === this.#id) this.progress = message.share;
      return;
    }
    if (message.kind === "maps") {
      this.maps = message.layers;
      this.level = message.level;
      this.progress = message.level > 0 && message.id === this.#id ? 0 : null;
    } else if (message.kind === "refused") {
      if (message.id === this.#id) this.refused = message.values;
      this.progress = null;
    } else if (message.kind === "failed") {
      if (message.id === this.#id) this.failed = message.message;
      this.progress = null;
    } else return;
    this.#busy = false;
    if (this.#next) this.#send(this.#next);
  }
}
