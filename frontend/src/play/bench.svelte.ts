/** The workbench: one network or two beside one another, the picture they read, and the block that is looked at. */
import { rooms } from "../state/rooms.svelte";
import { format, parse, type Setup } from "./address";
import type { Block } from "./blocks";
import { parse as parseLine } from "./language";
import type { Sheet } from "./orders";
import { Variant } from "./variant.svelte";
import type { Edit } from "./weights";

export class Bench {
  variants = $state.raw<readonly Variant[]>([]);
  /** Which of the two is worked on. */
  active = $state(0);
  /** The place of the block that is looked at. */
  chosen = $state(0);
  picture = $state.raw<Sheet | null>(null);
  pictureName = $state("");

  readonly variant: Variant = $derived(this.variants[this.active] ?? (this.variants[0] as Variant));
  readonly place = $derived(Math.min(this.chosen, Math.max(0, this.variant.fits.length - 1)));
  readonly address = $derived(format(this.variants.map((one) => one.setup), this.place));

  constructor(hash: string) {
    this.#open(hash);
  }

  /** The address was opened, or the person went back. */
  follow(hash: string): void {
    if (hash !== this.address) this.#open(hash);
  }

  /** The place of the block of the same name in another network, or else as far along its line. */
  placeIn(variant: Variant): number {
    if (variant === this.variant) return this.place;
    const name = this.variant.fits[this.place]?.block.name;
    const same = variant.fits.findIndex((one) => one.block.name === name);
    return same >= 0 ? same : Math.min(this.place, Math.max(0, variant.fits.length - 1));
  }

  keepAddress(): void {
    rooms.rewrite(this.address);
  }

  read(sheet: Sheet, name: string): void {
    this.picture = sheet;
    this.pictureName = name;
    for (const variant of this.variants) variant.picture(sheet);
  }

  /** A second network that begins as a copy of the first; or none. */
  compare(on: boolean): void {
    if (!on) {
      this.variants[1]?.stop();
      this.variants = this.variants.slice(0, 1);
      this.active = 0;
      return;
    }
    this.variants = [...this.variants, this.#made(this.variant.setup)];
    this.active = 1;
  }

  change(place: number, block: Block): void {
    this.variant.build(this.variant.blocks.map((one, n) => (n === place ? block : one)));
  }

  /** A block of this line, such as `relu`, behind the chosen one. */
  add(line: string): void {
    const at = this.variant.fits.length ? this.place + 1 : 0;
    this.#rearranged([...this.variant.blocks.slice(0, at), ...parseLine(line), ...this.variant.blocks.slice(at)], (n) => (n < at ? n : n + 1));
    this.chosen = at;
  }

  remove(place: number): void {
    if (this.variant.blocks.length < 2) return;
    this.#rearranged(this.variant.blocks.filter((_, n) => n !== place), (n) => (n === place ? null : n > place ? n - 1 : n));
    this.chosen = Math.max(0, place - 1);
  }

  move(from: number, to: number): void {
    const blocks = [...this.variant.blocks];
    const [moved] = blocks.splice(from, 1);
    if (!moved || to < 0 || to > blocks.length || to === from) return;
    blocks.splice(to, 0, moved);
    this.#rearranged(blocks, (n) => {
      if (n === from) return to;
      const left = n > from ? n - 1 : n;
      return left >= to ? left + 1 : left;
    });
    this.chosen = to;
  }

  stop(): void {
    for (const variant of this.variants) variant.stop();
  }

  /** What was typed over a block's weights goes where the block goes. */
  #rearranged(blocks: readonly Block[], placeOf: (before: number) => number | null): void {
    const edits: Edit[] = [];
    for (const edit of this.variant.edits) {
      const block = placeOf(edit.block);
      if (block !== null) edits.push({ ...edit, block });
    }
    this.variant.build(blocks, edits);
  }

  #open(hash: string): void {
    const { setups, chosen } = parse(hash);
    for (const variant of this.variants) variant.stop();
    this.variants = setups.map((setup) => this.#made(setup));
    this.active = Math.min(this.active, setups.length - 1);
    this.chosen = chosen;
  }

  #made(setup: Setup): Variant {
    const variant = new Variant(setup);
    if (this.picture) variant.picture(this.picture);
    return variant;
  }
}
