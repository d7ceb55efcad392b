/**
 * What the page shows right now: the one state that all panels read and change.
 *
 * Panels never talk to one another. They set `layer`, `channel`, `pixel`, `hover`; the others follow. What is worth a
 * link (all but `hover` and what was loaded) is written to the address.
 */
import { SvelteMap } from "svelte/reactivity";
import type { MapFact, NetworkFact, PictureFact, ProblemFact, RecipeFact, RunFact, SessionFact } from "../source/facts";
import { Problem, type Source } from "../source/source";
import { format, parse, START, type Address, type Mode, type ScaleOf, type Sort, type Tab } from "./address";
import { indexOf, placeOf } from "./place";
import { rooms } from "./rooms.svelte";
import { arriveAt } from "./walk";
import { t } from "../words";

/** The pixel under the cursor, in whichever panel: the crosshair that runs through all of them. */
export interface Hover {
  layer: string;
  channel: number;
  row: number;
  column: number;
}

export class View {
  readonly source: Source;

  session = $state.raw<SessionFact | null>(null);
  pictures = $state.raw<PictureFact[]>([]);
  network = $state.raw<NetworkFact | null>(null);
  run = $state.raw<RunFact | null>(null);
  /** The maps that have arrived, by layer. */
  readonly maps = new SvelteMap<string, MapFact>();
  progress = $state.raw<{ done: number; total: number } | null>(null);
  problem = $state.raw<ProblemFact | null>(null);
  /** Whether the source answers. */
  there = $state(true);

  layer = $state<string | null>(null);
  channel = $state(0);
  slice = $state(0);
  pixel = $state.raw<[number, number] | null>(null);
  mode = $state<Mode>("auto");
  scale = $state<ScaleOf>("layer");
  sort = $state<Sort>("number");
  tab = $state<Tab>("maps");
  together = $state(true);
  recipe = $state.raw<RecipeFact | null>(null);
  hover = $state.raw<Hover | null>(null);
  /** The values that led here, oldest first: where a walk back to the picture began, and how it went on. */
  trail = $state.raw<{ layer: string; index: number[] }[]>([]);
  /** Which entry of the trail is shown; the later ones can be walked forth to. */
  step = $state(0);

  /** Whether no network is open, because none can be opened. */
  refused = $state(false);

  #running: AbortController | null = null;
  /** The layer that nobody chose: another takes its place where it turns out that there are no maps of it. */
  #opened: string | null = null;
  #model = $state<string | null>(null);
  #picture = $state<string | null>(null);

  constructor(source: Source) {
    this.source = source;
  }

  get model(): string | null {
    return this.#model;
  }

  get picture(): string | null {
    return this.#picture;
  }

  /** The pictures that a model can be shown on. */
  picturesOf(model: string | null): PictureFact[] {
    const { source, pictures, session } = this;
    if (model === null) return pictures;
    const own = session?.models.find(({ id }) => id === model)?.step?.pictures ?? [];
    const others = new Set(session?.models.flatMap(({ step }) => step?.pictures ?? []));
    const fits = ({ id, sample }: PictureFact) => (own.length > 0 ? own.includes(id) || !sample : !others.has(id));
    return pictures.filter((picture) => fits(picture) && (source.holds?.(model, picture.id) ?? true));
  }

  /** The facts of the chosen layer's maps, once they are there. */
  get map(): MapFact | null {
    return this.layer === null ? null : (this.maps.get(this.layer) ?? null);
  }

  /** Whether there are maps, and won't be any of the chosen layer: a file may hold some layers alone. */
  get lacking(): boolean {
    return this.layer !== null && this.map === null && this.#ended && this.maps.size > 0;
  }

  get #ended(): boolean {
    return this.run !== null && this.progress === null;
  }

  get layerFact() {
    return this.network?.layers.find((layer) => layer.name === this.layer) ?? null;
  }

  /** The index of the chosen pixel in the layer's array. */
  get index(): number[] | null {
    const map = this.map;
    if (!map || !this.pixel) return null;
    return indexOf(map.shape, { channel: this.channel, slice: this.slice, row: this.pixel[0], column: this.pixel[1] });
  }

  /** Opens the page at the address that it was called with. */
  async start(hash: string): Promise<void> {
    this.source.watch((there) => {
      const back = there && !this.there;
      this.there = there;
      if (back) void this.#recover();
    });
    await this.#guarded(async () => {
      const session = await this.source.session();
      this.session = session;
      this.pictures = session.pictures;
      await this.#follow(parse(hash));
    });
  }

  /** Goes where an address says: called on back, forward and a typed link. */
  async goTo(hash: string): Promise<void> {
    await this.#guarded(() => this.#follow(parse(hash)));
  }

  /** The address of what is shown. */
  get address(): string {
    return format({
      model: this.#model,
      picture: this.#picture,
      layer: this.layer,
      channel: this.channel,
      slice: this.slice,
      at: this.pixel,
      mode: this.mode,
      scale: this.scale,
      sort: this.sort,
      tab: this.tab,
      together: this.together,
      recipe: this.recipe as Record<string, unknown> | null,
    });
  }

  chooseLayer(name: string): void {
    if (name === this.layer) return;
    this.layer = name;
    this.#opened = null;
    this.channel = this.maps.get(name)?.strongest ?? 0;
    this.slice = 0;
    this.pixel = null;
    this.hover = null;
    this.#beginTrail();
    this.#write(true);
  }

  chooseChannel(channel: number): void {
    const count = this.map?.channels ?? 1;
    this.channel = Math.min(Math.max(channel, 0), count - 1);
    this.#beginTrail();
    this.#write(false);
  }

  chooseSlice(slice: number): void {
    this.slice = Math.min(Math.max(slice, 0), (this.map?.slices ?? 1) - 1);
    this.#beginTrail();
    this.#write(false);
  }

  /** Asks why this pixel is so; begins a new trail. `push` is false where one choice follows another by a key. */
  choosePixel(row: number, column: number, push = true): void {
    const map = this.map;
    if (!map) return;
    this.pixel = [Math.min(Math.max(row, 0), map.rows - 1), Math.min(Math.max(column, 0), map.columns - 1)];
    this.#beginTrail();
    this.#write(push);
  }

  closePixel(): void {
    this.pixel = null;
    this.#beginTrail();
    this.#write(true);
  }

  /** Walks back to a value that went into the one shown; a network input's value ends the walk. */
  walkBack(layer: string, index: number[]): void {
    this.trail = [...this.trail.slice(0, this.step + 1), { layer, index }];
    this.walkTo(this.trail.length - 1);
  }

  /** Shows an entry of the trail. */
  walkTo(step: number): void {
    const entry = this.trail[step];
    if (!entry) return;
    this.step = step;
    const map = this.maps.get(entry.layer);
    if (!map) return; // the picture itself: the layer that read it stays
    const place = placeOf(map.shape, entry.index);
    this.layer = entry.layer;
    this.channel = place.channel;
    this.slice = place.slice;
    this.pixel = [place.row, place.column];
    this.#write(true);
  }

  setColours(change: { mode?: Mode; scale?: ScaleOf; sort?: Sort; together?: boolean }): void {
    Object.assign(this, change);
    this.#write(false);
  }

  chooseTab(tab: Tab): void {
    this.tab = tab;
    this.#write(false);
  }

  async chooseModel(model: string): Promise<void> {
    await this.#guarded(async () => {
      const network = await this.#network(model);
      const { network: from, layerFact: layer, channel, pixel } = this;
      const place = from && layer ? arriveAt(from, { layer, channel, pixel }, network) : null;
      const kept = { picture: this.#picture, mode: this.mode, scale: this.scale, sort: this.sort, tab: this.tab, together: this.together };
      await this.#follow({ ...START, model, ...kept, ...place }, network);
    });
    this.#write(true);
  }

  /** Becomes another step of the same training, whose run has ended: layer, channel, pixel, way and colours stay. */
  become(network: NetworkFact, run: RunFact): void {
    this.#running?.abort();
    this.#running = null;
    this.network = network;
    this.#model = run.model;
    this.run = run;
    this.progress = null;
    this.problem = null;
    for (const map of run.maps) this.maps.set(map.layer, map);
    this.#write(false);
  }

  async choosePicture(picture: string): Promise<void> {
    await this.#guarded(() => this.#follow({ ...parse(this.address), picture }));
    this.#write(true);
  }

  async chooseRecipe(recipe: RecipeFact | null): Promise<void> {
    await this.#guarded(() => this.#follow({ ...parse(this.address), recipe: recipe as Record<string, unknown> | null }));
    this.#write(true);
  }

  /** Reads a picture that was opened, dropped or pasted, and shows it. */
  async addPicture(file: Blob, name: string): Promise<void> {
    await this.#guarded(async () => {
      const picture = await this.source.addPicture(file, name);
      this.pictures = [...this.pictures.filter((known) => known.id !== picture.id), picture];
      await this.choosePicture(picture.id);
    });
  }

  async addModel(file: Blob, name: string): Promise<void> {
    await this.#guarded(async () => {
      const model = await this.source.addModel(file, name);
      if (this.session) this.session = { ...this.session, models: [...this.session.models, model] };
      await this.chooseModel(model.id);
    });
  }

  dismissProblem(): void {
    this.problem = null;
  }

  async #follow(address: Address, known: NetworkFact | null = null): Promise<void> {
    const session = this.session;
    if (!session) return;
    const model = address.model ?? session.model;
    const wished = address.picture ?? session.picture;
    const picture = this.picturesOf(model).some(({ id }) => id === wished) ? wished : (this.picturesOf(model)[0]?.id ?? wished);
    const recipe = address.recipe as RecipeFact | null;
    const again = model !== this.#model || picture !== this.#picture || JSON.stringify(recipe) !== JSON.stringify(this.recipe);
    if (model !== this.#model || this.network === null) {
      const network = known ?? (await this.#network(model));
      this.refused = false;
      this.#running?.abort();
      this.maps.clear();
      this.run = null;
      this.network = network;
      this.#model = model;
      this.layer = null;
    }
    this.#picture = picture;
    this.recipe = recipe;
    this.mode = address.mode;
    this.scale = address.scale;
    this.sort = address.sort;
    this.tab = address.tab;
    this.together = address.together;
    const names = new Set(this.network.layers.map((layer) => layer.name));
    const named = address.layer !== null && names.has(address.layer) ? address.layer : null;
    this.layer = named ?? this.#firstLayer();
    this.#opened = named === null ? this.layer : null;
    this.channel = address.channel;
    this.slice = address.slice;
    this.pixel = address.at;
    if ((again || this.run === null) && picture !== null) {
      void this.#runAgain();
    } else if (this.#ended) {
      this.#settle();
    }
    this.#beginTrail();
  }

  async #network(model: string): Promise<NetworkFact> {
    try {
      return await this.source.network(model);
    } catch (error) {
      if (this.session?.models.some(({ id }) => id === model)) throw error;
      throw new Problem({ problem: t("problem.noModel", { model }), expected: "", received: "", hint: t("problem.noModelHint") });
    }
  }

  /** Once all maps are there: a layer that has some, where nobody chose another; no pixel where there are none. */
  #settle(): void {
    if (this.map !== null || this.maps.size === 0) return;
    if (this.layer === this.#opened) {
      this.layer = this.#opened = this.#firstLayer();
      this.#fit();
    } else if (this.layer !== null) {
      this.pixel = null;
    }
  }

  /** Channel and pixel as far as the chosen layer's maps go. */
  #fit(): void {
    const map = this.map;
    if (!map) return;
    this.channel = Math.min(this.channel, map.channels - 1);
    if (this.pixel && this.trail.length === 0) {
      this.pixel = [Math.min(this.pixel[0], map.rows - 1), Math.min(this.pixel[1], map.columns - 1)];
      this.#beginTrail();
    }
  }

  /** The way begins anew at the chosen pixel; there is none without one, or before its layer's maps are there. */
  #beginTrail(): void {
    this.trail = this.map && this.index ? [{ layer: this.map.layer, index: this.index }] : [];
    this.step = 0;
  }

  #firstLayer(): string | null {
    const all = this.network?.layers ?? [];
    const layers = this.#ended && all.some(({ name }) => this.maps.has(name)) ? all.filter(({ name }) => this.maps.has(name)) : all;
    return (layers.find((layer) => layer.kind === "convolution") ?? layers[0])?.name ?? null;
  }

  /** Runs the chosen model on the chosen picture; `keep` leaves the maps that are shown until theirs arrive. */
  async #runAgain(keep = false): Promise<void> {
    this.#running?.abort();
    const controller = (this.#running = new AbortController());
    const mine = () => this.#running === controller;
    const model = this.#model;
    const picture = this.#picture;
    if (model === null || picture === null) return;
    if (!keep) this.maps.clear();
    this.problem = null;
    this.progress = { done: 0, total: this.network?.layers.length ?? 0 };
    try {
      const ended = await this.source.run(
        { model, picture, recipe: this.recipe },
        {
          started: (run) => {
            if (!mine()) return;
            this.run = run;
            for (const map of run.maps) this.#arrived(map);
          },
          arrived: (map, done, total) => {
            if (!mine()) return;
            this.#arrived(map);
            this.progress = { done, total };
          },
          ended: (run) => {
            if (mine()) this.run = run;
          },
        },
        controller.signal,
      );
      if (!mine()) return;
      this.run = ended;
      for (const map of ended.maps) this.#arrived(map);
      this.problem = ended.problem;
      this.progress = null;
      this.#settle();
    } catch (error) {
      if (mine() && !controller.signal.aborted) this.#say(error);
    } finally {
      if (mine()) this.progress = null;
    }
  }

  #arrived(map: MapFact): void {
    if (this.maps.has(map.layer)) return;
    this.maps.set(map.layer, map);
    if (map.layer === this.layer) this.#fit();
  }

  /** After the source was lost: what was being made is made again, what is shown stays. */
  async #recover(): Promise<void> {
    await this.#guarded(async () => {
      this.session = await this.source.session();
      this.pictures = this.session.pictures;
      const same = this.pictures.some((picture) => picture.id === this.#picture);
      if (this.#picture !== null && !same) this.#picture = this.session.picture;
      await this.#runAgain(same);
    });
  }

  async #guarded(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      this.#say(error);
    }
  }

  #say(error: unknown): void {
    this.refused = this.network === null;
    this.problem =
      error instanceof Problem
        ? error.fact
        : { problem: error instanceof Error ? error.message : String(error), expected: "", received: "", hint: "" };
  }

  /** Writes the address; `push` makes it a step that the back button undoes. */
  #write(push: boolean): void {
    if (typeof location === "undefined" || location.protocol === "about:") return; // a frame within a page has no address of its own
    if (rooms.room !== "see") return; // another room's address stands there
    const address = this.address;
    if (location.hash === address) return;
    if (push) history.pushState(null, "", address);
    else history.replaceState(history.state, "", address);
  }
}
