/** The workbench: one network or two beside one another, the picture they read, and the block that is looked at. */
import { rooms } from "../state/rooms.svelte";
import { t } from "../words";
import { format, parse, type Setup } from "./address";
import type { Block } from "./blocks";
import { asDigit, digit, DIGIT } from "./digits";
import { parse as parseLine } from "./language";
import type { Mistake } from "./mistake";
import type { Sheet } from "./orders";
import { Variant } from "./variant.svelte";
import type { Edit } from "./weights";

/** Changes of the same thing within this time are one step back. */
const ONE_GESTURE = 1000; // milliseconds
/** The line is one step from its first letter to its last, however long a person thinks. */
const LINE = "line";

export class Bench {
  variants = $state.raw<readonly Variant[]>([]);
  /** Which of the two is worked on. */
  active = $state(0);
  /** The picture that is read. */
  picture = $state.raw<Sheet | null>(null);
  pictureName = $state("");
  /** The picture that was given: the digit network reads one of its own until a person opens another. */
  given = $state.raw<{ sheet: Sheet; name: string; opened: boolean } | null>(null);
  /** Why a block can't be added, moved or removed as was asked last. */
  refused = $state.raw<Mistake | null>(null);

  readonly variant: Variant = $derived(this.variants[this.active] ?? (this.variants[0] as Variant));
  readonly place = $derived(this.variant.place);
  readonly address = $derived(format(this.variants.map((one) => one.setup)));
  #last = { gesture: "", at: 0 };

  constructor(hash: string) {
    this.#open(parse(hash));
  }

  /** The address was opened, or the person went back. */
  follow(hash: string): void {
    if (hash === this.address) return;
    this.#last.gesture = "";
    this.#open(parse(hash));
  }

  keepAddress(): void {
    rooms.rewrite(this.address);
  }

  /** A picture that a person opened, or what there is to begin with. */
  read(sheet: Sheet, name: string, opened = true): void {
    this.given = { sheet, name, opened };
    this.#show(this.variants.map((one) => one.setup));
    if (this.picture) for (const variant of this.variants) variant.picture(this.picture);
  }

  /** What these networks read; whether that is another picture than before. */
  #show(setups: readonly Setup[]): boolean {
    const before = this.picture;
    const { sheet = null, name = "", opened = false } = this.given ?? {};
    const digits = setups.some((one) => one.step);
    if (digits && !opened) {
      if (before?.shape[0] !== 1) this.picture = digit();
      this.pictureName = t("play.digit", { digit: DIGIT });
    } else {
      this.picture = digits && sheet ? asDigit(sheet) : sheet;
      this.pictureName = name;
    }
    return this.picture !== before;
  }

  /** Looks at a block; at that of the same name in the other network, or at its last. */
  choose(place: number): void {
    this.refused = null;
    const name = this.variant.fits[place]?.block.name;
    for (const one of this.variants) {
      const same = one.fits.findIndex((fit) => fit.block.name === name);
      one.chosen = one === this.variant ? place : same >= 0 ? same : one.fits.length - 1;
    }
  }

  /** Begins anew with one network or two. */
  begin(setups: readonly Setup[]): void {
    this.#step("", () => this.#open(setups));
  }

  /** A second network that begins as a copy of the first; or none. */
  compare(on: boolean): void {
    const setups = this.variants.map((one) => one.setup);
    this.#step("", () => this.#open(on ? [...setups, this.variant.setup] : setups.slice(0, 1)));
    this.active = on ? 1 : 0;
  }

  draw(seed: number): void {
    this.#step("seed", () => this.variant.draw(seed));
  }

  type(line: string): void {
    this.#step(LINE, () => this.variant.type(line));
  }

  /** The line is typed to its end. */
  typedAll(): void {
    this.variant.typedAll();
    this.#last.gesture = "";
  }

  /** Numbers over a block's weights; `gesture` names what they are typed or dragged in. */
  typeWeights(edits: readonly Edit[], gesture = ""): void {
    this.#step(gesture, () => this.variant.typeWeights(edits));
  }

  change(place: number, block: Block): void {
    const settings = Object.entries(block).filter(([name, value]) => (this.variant.blocks[place] as Record<string, unknown> | undefined)?.[name] !== value);
    const blocks = this.variant.blocks.map((one, n) => (n === place ? block : one));
    this.#step(`${place} ${settings.map(([name]) => name).join(" ")}`, () => this.variant.build(blocks));
  }

  /** A block of this line, such as `relu`, behind the chosen one; whether it can stand there. */
  add(line: string): boolean {
    const at = this.variant.fits.length ? this.place + 1 : 0;
    return this.#rearranged([...this.variant.blocks.slice(0, at), ...parseLine(line), ...this.variant.blocks.slice(at)], at, (n) => (n < at ? n : n + 1));
  }

  remove(place: number): boolean {
    if (this.variant.blocks.length < 2) return false;
    const others = this.variant.blocks.filter((_, n) => n !== place);
    return this.#rearranged(others, Math.max(0, place - 1), (n) => (n === place ? null : n > place ? n - 1 : n));
  }

  move(from: number, to: number): boolean {
    const blocks = [...this.variant.blocks];
    const [moved] = blocks.splice(from, 1);
    if (!moved || to < 0 || to > blocks.length || to === from) return false;
    blocks.splice(to, 0, moved);
    return this.#rearranged(blocks, to, (n) => {
      if (n === from) return to;
      const left = n > from ? n - 1 : n;
      return left >= to ? left + 1 : left;
    });
  }

  stop(): void {
    for (const variant of this.variants) variant.stop();
  }

  /** A change that going back undoes; those of one gesture, as while a slider moves, are one step. */
  #step(gesture: string, change: () => void): void {
    const now = Date.now();
    const goesOn = gesture !== "" && gesture === this.#last.gesture && (gesture === LINE || now - this.#last.at < ONE_GESTURE);
    const before = this.address;
    this.refused = null;
    if (!goesOn) rooms.rewrite(before);
    change();
    if (this.address === before || !this.picture) return;
    if (!goesOn) rooms.go(this.address);
    this.#last = { gesture, at: now };
  }

  /** What was typed over a block's weights goes where the block goes. Nothing changes where the blocks don't fit. */
  #rearranged(blocks: readonly Block[], chosen: number, placeOf: (before: number) => number | null): boolean {
    const mistake = this.variant.wrong(blocks);
    if (mistake) {
      this.refused = mistake;
      return false;
    }
    const edits: Edit[] = [];
    for (const edit of this.variant.edits) {
      const block = placeOf(edit.block);
      if (block !== null) edits.push({ ...edit, block });
    }
    this.#step("", () => {
      this.variant.build(blocks, edits);
      this.variant.chosen = chosen;
    });
    return true;
  }

  /** A network that is there already becomes another: its maps are seen until the new ones come. */
  #open(setups: readonly Setup[]): void {
    this.refused = null;
    for (const variant of this.variants.slice(setups.length)) variant.stop();
    const other = this.#show(setups);
    this.variants = setups.map((setup, n) => {
      const known = this.variants[n];
      if (known && other && this.picture) known.picture(this.picture, setup);
      else if (known && (known.mistake || format([known.setup]) !== format([setup]))) known.become(setup);
      return known ?? this.#made(setup);
    });
    this.active = Math.min(this.active, setups.length - 1);
  }

  #made(setup: Setup): Variant {
    const variant = new Variant(setup);
    if (this.picture) variant.picture(this.picture);
    return variant;
  }
}
