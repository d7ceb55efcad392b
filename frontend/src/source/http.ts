/** The source that stands behind a server: `convlens view`, or `maps.serve()`. */
import { Again } from "./again";
import type * as Facts from "./facts";
import { eventsOf } from "./events";
import { parseNpy } from "./npy";
import { Problem, type Abilities, type FileKind, type Of, type RunListener, type RunRequest, type Source, type TilePlace, type Values } from "./source";
import { t } from "../words";

type Query = Record<string, string | number | null>;
type Options = Omit<RequestInit, "signal"> & { signal?: AbortSignal | null | undefined };

const THERE = 4000; // milliseconds between two looks whether the server is there
const LOST = 1000;
const GONE = [404, 410]; // a run that the server let go of, or that it had before it was started again

export class HttpSource implements Source {
  readonly can: Abilities = { run: true, effective: true, files: true };
  readonly #again = new Again(
    (problem, run) => this.#isGone(problem, run),
    (request) => this.#runAgain(request),
  );
  /** Tells this page from others that look at the same server. */
  readonly #page: string;
  readonly #base: string;
  readonly #watchers = new Set<(there: boolean) => void>();
  #there = true;
  /** The last run being left: a new one waits for it, lest it be the one that is stopped. */
  #leaving: Promise<void> = Promise.resolve();
  #timer: ReturnType<typeof setTimeout> | null = null;

  constructor(base = "api") {
    this.#base = base;
    const bytes = crypto.getRandomValues(new Uint8Array(8)); // randomUUID is missing where a page isn't on loopback
    this.#page = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  }

  session(): Promise<Facts.SessionFact> {
    return this.#json("session");
  }

  network(of: Of): Promise<Facts.NetworkFact> {
    return this.#of(of, (path) => this.#json(`${path}/network`));
  }

  derivation(of: Of, layer: string): Promise<Facts.DerivationFact> {
    return this.#of(of, (path) => this.#json(`${path}/derivation`, { layer }));
  }

  kernels(of: Of, layer: string): Promise<Facts.KernelsFact> {
    return this.#of(of, (path) => this.#json(`${path}/kernels`, { layer }));
  }

  kernelValues(of: Of, layer: string, first: number, count: number): Promise<Values> {
    return this.#of(of, (path) => this.#values(`${path}/kernels.npy`, { layer, first, count }));
  }

  async run(request: RunRequest, listener: RunListener, signal: AbortSignal): Promise<Facts.RunFact> {
    const started = await this.#begin(request, signal);
    const leave = () => void (this.#leaving = this.#leave(started.id));
    signal.addEventListener("abort", leave, { once: true });
    try {
      if (signal.aborted) leave();
      signal.throwIfAborted();
      listener.started(started);
      const ended = started.state === "running" ? await this.#follow(started.id, listener, signal) : started;
      listener.ended(ended);
      return ended;
    } finally {
      signal.removeEventListener("abort", leave);
    }
  }

  channels(run: string, layer: string): Promise<Facts.ChannelsFact> {
    return this.#again.of(run, () => this.#json(`runs/${part(run)}/channels`, { layer }));
  }

  maps(run: string, layer: string, level: number, channels: number[], slice: number, signal?: AbortSignal): Promise<Values> {
    const query = { layer, level, channels: channels.join(","), slice };
    return this.#again.of(run, () => this.#values(`runs/${part(run)}/maps.npy`, query, level, signal));
  }

  tile(run: string, place: TilePlace, signal?: AbortSignal): Promise<Values> {
    return this.#again.of(run, () => this.#values(`runs/${part(run)}/tile.npy`, { ...place }, place.level, signal));
  }

  explanation(run: string, layer: string, index: number[], groups: number): Promise<Facts.ExplanationFact | Facts.PictureValueFact> {
    return this.#again.of(run, () => this.#json(`runs/${part(run)}/explanation`, { layer, index: index.join(","), groups }));
  }

  field(run: string, layer: string, index: number[]): Promise<Facts.BoxFact | null> {
    return this.#again.of(run, () => this.#json(`runs/${part(run)}/field`, { layer, index: index.join(",") }));
  }

  effective(run: string, layer: string, index: number[], signal?: AbortSignal): Promise<[Facts.EffectiveFact, Values]> {
    const query = { layer, index: index.join(",") };
    return this.#again.of(run, async () => {
      const fact = await this.#json<Facts.EffectiveFact>(`runs/${part(run)}/effective`, query, { signal });
      return [fact, await this.#values(`runs/${part(run)}/effective.npy`, query, 0, signal)];
    });
  }

  pictureAddress(run: string): string {
    return this.#address(`runs/${part(run)}/picture.png`);
  }

  originalAddress(picture: string): string {
    return this.#address(`pictures/${part(picture)}.webp`);
  }

  fileAddress(run: string, layer: string, channel: number | null, kind: FileKind, colours: { mode: string; scale: string }): string {
    if (kind === "npy") return this.#address(`runs/${part(run)}/values.npy`, { layer, channel });
    const scale = colours.scale === "map" ? "map" : "layer"; // a figure shows one layer: the network has no legend there
    return this.#address(`runs/${part(run)}/drawing.${kind}`, { layer, channel, mode: colours.mode, scale });
  }

  addPicture(file: Blob, name: string): Promise<Facts.PictureFact> {
    return this.#json("pictures", { name }, { method: "POST", body: file });
  }

  addModel(file: Blob, name: string): Promise<Facts.ModelFact> {
    return this.#json("models", { name }, { method: "POST", body: file });
  }

  watch(changed: (there: boolean) => void): () => void {
    this.#watchers.add(changed);
    this.#timer ??= setTimeout(() => void this.#look(), THERE);
    return () => {
      this.#watchers.delete(changed);
      if (this.#watchers.size > 0 || this.#timer === null) return;
      clearTimeout(this.#timer);
      this.#timer = null;
    };
  }

  // --- runs

  #of<T>(of: Of, ask: (path: string) => Promise<T>): Promise<T> {
    return "run" in of ? this.#again.of(of.run, () => ask(`runs/${part(of.run)}`)) : ask(`models/${part(of.model)}`);
  }

  async #begin(request: RunRequest, signal: AbortSignal | null): Promise<Facts.RunFact> {
    await this.#leaving;
    const body = JSON.stringify({ ...request, page: this.#page });
    const headers = { "content-type": "application/json" };
    const started = await this.#json<Facts.RunFact>("runs", {}, { method: "POST", body, headers, signal });
    this.#again.remember(started.id, request);
    return started;
  }

  /** Listens until the run has ended. A stream that breaks off is the server's end: the run is then asked for once. */
  async #follow(run: string, listener: RunListener | null, signal: AbortSignal | null): Promise<Facts.RunFact> {
    const response = await this.#fetch(`runs/${part(run)}/events`, {}, { signal });
    try {
      for await (const event of eventsOf(response.body ?? new ReadableStream())) {
        signal?.throwIfAborted();
        if (event.name === "map") {
          const { map, done, total } = JSON.parse(event.data) as { map: Facts.MapFact; done: number; total: number };
          listener?.arrived(map, done, total);
        } else if (event.name === "end") {
          return JSON.parse(event.data) as Facts.RunFact;
        }
      }
    } catch (error) {
      if (signal?.aborted || !(error instanceof TypeError)) throw error; // a TypeError is a stream that broke off
    }
    signal?.throwIfAborted();
    const now = await this.#json<Facts.RunFact>(`runs/${part(run)}`, {}, { signal });
    if (now.state !== "running") return now;
    throw lost();
  }

  async #leave(run: string): Promise<void> {
    await this.#fetch(`runs/${part(run)}`, { page: this.#page }, { method: "DELETE", keepalive: true }).catch(() => undefined);
  }

  /** A 404 may also mean that it is the layer or the value that isn't there. */
  async #isGone(problem: Problem, run: string): Promise<boolean> {
    return GONE.includes(problem.status) && !(problem.status === 404 && (await this.#has(run)));
  }

  async #runAgain(request: RunRequest): Promise<void> {
    const started = await this.#begin(request, null);
    if (started.state === "running") await this.#follow(started.id, null, null);
  }

  async #has(run: string): Promise<boolean> {
    return this.#json(`runs/${part(run)}`).then(
      () => true,
      () => false,
    );
  }

  // --- requests

  async #values(path: string, query: Query, level = 0, signal?: AbortSignal): Promise<Values> {
    const response = await this.#fetch(path, query, { signal });
    const { data, shape, bytes } = parseNpy(await response.arrayBuffer());
    return { data, shape, exact: level === 0 && bytes === 4 };
  }

  async #json<T>(path: string, query: Query = {}, options: Options = {}): Promise<T> {
    return (await (await this.#fetch(path, query, options)).json()) as T;
  }

  async #fetch(path: string, query: Query, { signal, ...options }: Options = {}): Promise<Response> {
    let response: Response;
    try {
      response = await fetch(this.#address(path, query), { ...options, signal: signal ?? null });
    } catch (error) {
      if (signal?.aborted) throw error;
      this.#tell(false);
      throw lost();
    }
    if (response.status !== 401) this.#tell(true);
    if (!response.ok) throw new Problem(await problemIn(response), response.status);
    return response;
  }

  #address(path: string, query: Query = {}): string {
    const given = Object.entries(query).filter((entry): entry is [string, string | number] => entry[1] !== null);
    const text = new URLSearchParams(given.map(([name, value]) => [name, String(value)])).toString();
    return `${this.#base}/${path}${text ? `?${text}` : ""}`;
  }

  // --- whether the server is there

  async #look(): Promise<void> {
    this.#timer = null;
    if (this.#watchers.size === 0) return;
    const there = await fetch(this.#address("session"), { cache: "no-store" }).then(
      (response) => response.ok, // one that was started again has another token: it isn't ours until it is opened
      () => false,
    );
    this.#tell(there);
    if (this.#timer === null) this.#timer = setTimeout(() => void this.#look(), there ? THERE : LOST);
  }

  #tell(there: boolean): void {
    if (there === this.#there) return;
    this.#there = there;
    if (!there && this.#timer !== null) {
      clearTimeout(this.#timer);
      this.#timer = setTimeout(() => void this.#look(), LOST);
    }
    for (const changed of this.#watchers) changed(there);
  }
}

function part(id: string): string {
  return encodeURIComponent(id);
}

function lost(): Problem {
  return new Problem({ problem: t("source.lost"), expected: "", received: "", hint: t("source.lostHint") });
}

async function problemIn(response: Response): Promise<Facts.ProblemFact> {
  const said: unknown = await response.json().catch(() => null);
  if (said !== null && typeof said === "object" && "problem" in said) return said as Facts.ProblemFact;
  const received = `${response.status} ${response.statusText}`.trim();
  return { problem: t("source.odd"), expected: "", received, hint: t("source.oddHint") };
}
