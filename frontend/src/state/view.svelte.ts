/**
 * What the page shows right now: the one state that all panels read and change.
 *
 * Panels never talk to one another. They set `layer`, `channel`, `pixel`, `hover`; the others follow. What is worth a
 * link (all but `hover` and what was loaded) is written to the address.
 */
import { SvelteMap } from "svelte/reactivity";
import type { MapFact, NetworkFact, PictureFact, ProblemFact, RecipeFact, RunFact, SessionFact } from "../source/facts";
import { Problem, type Of, type Source } from "../source/source";
import { format, parse, unread, type Address, type Mode, type ScaleOf, type Sort, type Tab } from "./address";
import { fitted, isWithin, NOTHING, type Asked, type Misfit } from "./fitting";
import { Latest } from "./latest";
import { kindOf, refusal } from "./opening";
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

/** An address that is on its way. `linked`: what of a link couldn't be read; `arrives`: at the counterpart of what is shown. */
interface Coming {
  address: Address;
  linked: Misfit[] | null;
  arrives: boolean;
}

export class View {
  readonly source: Source;

  session = $state.raw<SessionFact | null>(null);
  pictures = $state.raw<PictureFact[]>([]);
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

  /** What a link asked for and isn't there, and what is shown in its place. */
  misfits = $state.raw<readonly Misfit[]>([]);

  #running: AbortController | null = null;
  /** The choice of a model or an address that is being answered: only the last one counts. */
  readonly #choice = new Latest();
  /** What was asked for and isn't shown yet. */
  #coming: Coming | null = null;
  /** What was asked for last: more than there is, perhaps. What is shown of it follows what there is. */
  #asked: Asked = NOTHING;
  /** What a link says that can't be read or isn't here, whatever the layer; null where what is shown was chosen by hand. */
  #linked: readonly Misfit[] | null = null;
  /** The network of the model that is open, at the sizes that it states, and that of the run whose maps are shown. */
  #stated = $state.raw<NetworkFact | null>(null);
  #ran = $state.raw<NetworkFact | null>(null);
  readonly #learning = new Latest();
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

  /** The network whose sizes are shown: that of the run wherever maps are, for sizes may be free; of the model before. */
  get network(): NetworkFact | null {
    return this.#ran ?? this.#stated;
  }

  /** Of what all facts beside the maps are asked; null while nothing is open. */
  get of(): Of | null {
    if (this.#ran && this.run) return { run: this.run.id };
    return this.#model === null ? null : { model: this.#model };
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

  /** The size of the picture as the network reads it, once that is known. */
  get read(): { rows: number; columns: number } | null {
    return this.run && this.run.rows > 0 && this.run.columns > 0 ? this.run : null;
  }

  /** Whether a person may open models of their own. */
  get takesModels(): boolean {
    return this.session?.limits.upload_model ?? false;
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
    });
    if (!this.session) return;
    await this.goTo(hash);
    const damage = await this.source.damage?.();
    if (damage) this.#say(damage);
  }

  /** Goes where an address says: called on back, forward and a typed link. */
  async goTo(hash: string): Promise<void> {
    await this.#follow({ address: parse(hash), linked: unread(hash), arrives: false }, false);
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
    this.hover = null;
    this.#look({ layer: name, channel: this.maps.get(name)?.strongest ?? 0, slice: 0, at: null });
    this.#write(true);
  }

  chooseChannel(channel: number): void {
    this.#look({ ...this.#place, channel });
    this.#write(false);
  }

  chooseSlice(slice: number): void {
    this.#look({ ...this.#place, slice });
    this.#write(false);
  }

  /** Asks why this pixel is so; begins a new trail. `push` is false where one choice follows another by a key. */
  choosePixel(row: number, column: number, push = true): void {
    if (!this.map) return;
    this.#look({ ...this.#place, at: [row, column] });
    this.#write(push);
  }

  closePixel(): void {
    this.#look({ ...this.#place, at: null });
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
    const { channel, slice, row, column } = placeOf(map.shape, entry.index);
    this.#linked = null;
    this.#asked = { layer: entry.layer, channel, slice, at: [row, column] };
    this.#fit();
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

  /** Opens another model, at the place that is the counterpart of the one that is shown when it is there. */
  async chooseModel(model: string): Promise<void> {
    await this.#follow({ address: { ...this.#wanted.address, model }, linked: null, arrives: true }, true);
  }

  /** Becomes another step of the same training, whose run has ended: layer, channel, pixel, way and colours stay. */
  become(network: NetworkFact, run: RunFact): void {
    this.#choice.drop();
    this.#coming = null;
    this.#running?.abort();
    this.#running = null;
    this.#learning.drop();
    this.#stated = this.#ran = network;
    this.#model = run.model;
    this.run = run;
    this.progress = null;
    this.problem = null;
    const layers = new Set(run.maps.map(({ layer }) => layer));
    for (const layer of this.maps.keys()) if (!layers.has(layer)) this.maps.delete(layer);
    for (const map of run.maps) this.maps.set(map.layer, map);
    this.#asked = this.#place;
    this.#linked = null;
    this.#fit();
    if (!this.trail.every(({ layer, index }) => isWithin(index, this.maps.get(layer)?.shape ?? index))) this.#beginTrail();
    this.#write(false);
  }

  async choosePicture(picture: string): Promise<void> {
    const { address, ...how } = this.#wanted;
    await this.#follow({ address: { ...address, picture }, ...how }, true);
  }

  async chooseRecipe(recipe: RecipeFact | null): Promise<void> {
    const { address, ...how } = this.#wanted;
    await this.#follow({ address: { ...address, recipe: recipe as Record<string, unknown> | null }, ...how }, true);
  }

  /** Opens a file that a person chose, dropped or pasted: a picture, or a model where models are taken. */
  async open(file: Blob, name: string): Promise<void> {
    const kind = kindOf(file, name);
    if (kind === "picture") {
      await this.#send(
        () => this.source.addPicture(file, name),
        (picture) => (this.pictures = [...this.pictures.filter(({ id }) => id !== picture.id), picture]),
        ({ id }) => this.choosePicture(id),
      );
    } else if (kind === "sendable" && this.takesModels) {
      await this.#send(
        () => this.source.addModel(file, name),
        (model) => {
          const others = this.session?.models.filter(({ id }) => id !== model.id) ?? []; // the same one has one id
          this.session = this.session && { ...this.session, models: [...others, model] };
        },
        ({ id }) => this.chooseModel(id),
      );
    } else this.problem = refusal(name, kind, this.source.can);
  }

  /** What was sent is among what can be chosen from then on; it is shown if nothing else was chosen meanwhile. */
  async #send<T>(send: () => Promise<T>, come: (sent: T) => unknown, show: (sent: T) => Promise<void>): Promise<void> {
    const sending = send();
    sending.then(come, () => undefined);
    await this.#choice.ask(() => sending, show, (error) => this.#say(error));
  }

  dismissMisfits(): void {
    this.#look(this.#place);
  }

  dismissProblem(): void {
    this.problem = null;
  }

  /** The address that is shown, or will be in a moment: what a choice changes. */
  get #wanted(): Coming {
    return this.#coming ?? { address: parse(this.address), linked: null, arrives: false };
  }

  /** Shows an address once its model's network is there, unless something else was chosen meanwhile; `push` as a step that can be undone. */
  async #follow(coming: Coming, push: boolean): Promise<void> {
    const session = this.session;
    if (!session) return;
    const model = coming.address.model ?? session.model;
    const show = (network: NetworkFact) => {
      this.#coming = null;
      this.#show(coming.arrives ? this.#arrived(coming.address, network) : coming.address, model, network, coming.linked);
      if (push) this.#write(true);
    };
    if (model === this.#model && this.network !== null) {
      this.#choice.drop();
      return show(this.network);
    }
    this.#coming = coming;
    await this.#choice.ask(
      () => this.#network(model),
      show,
      (error) => {
        this.#coming = null;
        this.#say(error);
      },
    );
  }

  /** The address of another model, at the counterpart of what is shown. */
  #arrived(address: Address, network: NetworkFact): Address {
    const { network: from, layerFact: layer, channel, pixel } = this;
    const place = from && layer ? arriveAt(from, { layer, channel, pixel }, network) : null;
    return { ...address, layer: null, channel: 0, slice: 0, at: null, recipe: null, ...place };
  }

  #show(address: Address, model: string, network: NetworkFact, linked: Misfit[] | null): void {
    const wished = address.picture ?? this.session?.picture ?? null;
    const here = this.picturesOf(model);
    const picture = here.some(({ id }) => id === wished) ? wished : (here[0]?.id ?? wished);
    const recipe = address.recipe as RecipeFact | null;
    const again = model !== this.#model || picture !== this.#picture || JSON.stringify(recipe) !== JSON.stringify(this.recipe);
    if (model !== this.#model || this.network === null) {
      this.refused = false;
      this.#running?.abort();
      this.maps.clear();
      this.run = null;
      this.#ran = null;
      this.#stated = network;
      this.#model = model;
    }
    this.#picture = picture;
    this.recipe = recipe;
    this.mode = address.mode;
    this.scale = address.scale;
    this.sort = address.sort;
    this.tab = address.tab;
    this.together = address.together;
    const lacks = linked && address.picture !== null && address.picture !== picture;
    const instead = here.find(({ id }) => id === picture)?.name ?? "";
    this.#linked = lacks ? [...linked, { part: "picture", asked: address.picture ?? "", shown: instead, layer: "" }] : linked;
    this.#asked = { layer: address.layer, channel: address.channel, slice: address.slice, at: address.at };
    if ((again || this.run === null) && picture !== null) void this.#runAgain();
    this.#fit();
    this.#beginTrail();
  }

  async #network(model: string): Promise<NetworkFact> {
    try {
      return await this.source.network({ model });
    } catch (error) {
      if (this.session?.models.some(({ id }) => id === model)) throw error;
      throw new Problem({ problem: t("problem.noModel", { model }), expected: "", received: "", hint: t("problem.noModelHint") });
    }
  }

  /** Layer, channel, slice and pixel as they are shown. */
  get #place(): Asked {
    return { layer: this.layer, channel: this.channel, slice: this.slice, at: this.pixel };
  }

  /** A person looks at another place: what they ask for beyond its ends is its end, without a word. */
  #look(place: Asked): void {
    this.#linked = null;
    this.#asked = place;
    this.#fit();
    this.#asked = this.#place;
    this.#beginTrail();
  }

  /** Shows of what was asked for what is there. Called whenever either has changed. */
  #fit(): void {
    const layers = new Set(this.network?.layers.map(({ name }) => name));
    const { shown, misfits } = fitted(this.#asked, { layers, first: this.#firstLayer(), maps: this.maps, complete: this.#ended && this.maps.size > 0 });
    this.layer = shown.layer;
    this.channel = shown.channel;
    this.slice = shown.slice;
    if (String(this.pixel) !== String(shown.at)) this.pixel = shown.at;
    this.misfits = this.#linked === null ? [] : [...this.#linked, ...misfits];
    if (this.trail.length === 0) this.#beginTrail();
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
    this.#learning.drop();
    if (!keep) {
      this.maps.clear();
      this.#ran = null;
    }
    this.problem = null;
    this.progress = { done: 0, total: this.network?.layers.length ?? 0 };
    const coming: MapFact[] = [];
    /** Maps are shown once the network of their run is known, so that no size beside them is another's. */
    const come = (run: RunFact, maps: readonly MapFact[]) => {
      coming.push(...maps);
      if (this.#ran !== null && this.run?.id === run.id) this.#arrive(coming.splice(0));
      else if (coming.length === maps.length && maps.length > 0) void this.#learn(run.id, () => this.#arrive(coming.splice(0)));
    };
    try {
      const ended = await this.source.run(
        { model, picture, recipe: this.recipe },
        {
          started: (run) => {
            if (!mine()) return;
            this.run = run;
            come(run, run.maps);
          },
          arrived: (map, done, total) => {
            if (!mine() || !this.run) return;
            come(this.run, [map]);
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
      if (ended.maps.length > 0) await this.#learn(ended.id, () => undefined); // the path that it took may be known in the end alone
      if (!mine()) return;
      this.problem ??= ended.problem;
      this.#arrive(ended.maps);
      this.progress = null;
      this.#fit();
    } catch (error) {
      if (mine() && !controller.signal.aborted) this.#say(error);
    } finally {
      if (mine()) this.progress = null;
    }
  }

  /** Asks for the network of the run that is shown; the same facts as before stay the same object. */
  async #learn(run: string, then: () => void): Promise<void> {
    await this.#learning.ask(
      () => this.source.network({ run }),
      (found) => {
        const text = JSON.stringify(found);
        this.#ran = [this.#ran, this.#stated].find((known) => known && JSON.stringify(known) === text) ?? found;
        this.#fit();
        then();
      },
      (error) => this.#say(error),
    );
  }

  #arrive(maps: readonly MapFact[]): void {
    for (const map of maps) this.#add(map);
  }

  #add(map: MapFact): void {
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
