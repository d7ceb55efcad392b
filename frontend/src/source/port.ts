/** The source that stands behind a notebook: questions go through a message port to the kernel, answers come back. */
import { Again } from "./again";
import type * as Facts from "./facts";
import { Line, valuesOf } from "./port/line";
import type { Abilities, Of, RunListener, RunRequest, Source, TilePlace, Values } from "./source";

/** What the cell opens with. */
export interface Opening {
  layer: string;
  channel: number;
  pixel: [number, number] | null;
  tab: "maps" | "kernels";
}

interface Progress extends Facts.RunFact {
  ended: boolean;
}

export class PortSource implements Source {
  readonly can: Abilities = { run: true, effective: true, files: false };
  /** Pictures are shown by address, at once: they are fetched before anything that shows them is handed out. */
  readonly #pictures = new Map<string, string>();
  readonly #again = new Again(
    (problem) => problem.status === 410,
    (request) => this.#runAgain(request),
  );

  constructor(readonly line: Line) {}

  async opening(): Promise<Opening> {
    return (await this.line.ask<Opening>("opening")).fact;
  }

  async session(): Promise<Facts.SessionFact> {
    const session = await this.#fact<Facts.SessionFact>("session");
    await Promise.all(session.pictures.map((picture) => this.#fetchOriginal(picture.id)));
    return session;
  }

  network(of: Of): Promise<Facts.NetworkFact> {
    return "run" in of ? this.#again.of(of.run, () => this.#fact("runNetwork", of)) : this.#fact("network", of);
  }

  derivation(of: Of, layer: string): Promise<Facts.DerivationFact> {
    const given = { ...of, layer };
    return "run" in of ? this.#again.of(of.run, () => this.#fact("runDerivation", given)) : this.#fact("derivation", given);
  }

  kernels(of: Of, layer: string): Promise<Facts.KernelsFact> {
    const given = { ...of, layer };
    return "run" in of ? this.#again.of(of.run, () => this.#fact("runKernels", given)) : this.#fact("kernels", given);
  }

  async kernelValues(of: Of, layer: string, first: number, count: number): Promise<Values> {
    const given = { ...of, layer, first, count };
    const ask = () => this.line.ask("run" in of ? "runKernelValues" : "kernelValues", given);
    return valuesOf(await ("run" in of ? this.#again.of(of.run, ask) : ask()));
  }

  async run(request: RunRequest, listener: RunListener, signal: AbortSignal): Promise<Facts.RunFact> {
    const started = await this.#fact<Facts.RunFact>("start", { ...request }, signal);
    const leave = () => void this.#fact("leave", { run: started.id }).catch(() => undefined);
    signal.addEventListener("abort", leave, { once: true });
    try {
      this.#again.remember(started.id, request);
      if (started.state !== "running") {
        await this.#fetchRead(started);
        signal.throwIfAborted();
        listener.started(started);
        listener.ended(started);
        return started;
      }
      listener.started(started);
      const ended = await this.#follow(started, listener, signal);
      listener.ended(ended);
      return ended;
    } finally {
      signal.removeEventListener("abort", leave);
    }
  }

  channels(run: string, layer: string): Promise<Facts.ChannelsFact> {
    return this.#again.of(run, () => this.#fact("channels", { run, layer }));
  }

  maps(run: string, layer: string, level: number, channels: number[], slice: number, signal?: AbortSignal): Promise<Values> {
    const given = { run, layer, level, channels, slice };
    return this.#again.of(run, async () => valuesOf(await this.line.ask("maps", given, signal), level));
  }

  tile(run: string, place: TilePlace, signal?: AbortSignal): Promise<Values> {
    return this.#again.of(run, async () => valuesOf(await this.line.ask("tile", { run, ...place }, signal), place.level));
  }

  explanation(run: string, layer: string, index: number[], groups: number): Promise<Facts.ExplanationFact | Facts.PictureValueFact> {
    return this.#again.of(run, () => this.#fact("explanation", { run, layer, index, groups }));
  }

  field(run: string, layer: string, index: number[]): Promise<Facts.BoxFact | null> {
    return this.#again.of(run, () => this.#fact("field", { run, layer, index }));
  }

  effective(run: string, layer: string, index: number[], signal?: AbortSignal): Promise<[Facts.EffectiveFact, Values]> {
    return this.#again.of(run, async () => {
      const reply = await this.line.ask<Facts.EffectiveFact>("effective", { run, layer, index }, signal);
      return [reply.fact, valuesOf(reply)];
    });
  }

  pictureAddress(run: string): string {
    return this.#pictures.get(`run ${run}`) ?? "";
  }

  originalAddress(picture: string): string {
    return this.#pictures.get(`picture ${picture}`) ?? "";
  }

  fileAddress(): string {
    return ""; // files are Python's: maps.save, maps[layer].png
  }

  async addPicture(file: Blob, name: string): Promise<Facts.PictureFact> {
    const { fact } = await this.line.ask<Facts.PictureFact>("addPicture", { name }, null, await file.arrayBuffer());
    await this.#fetchOriginal(fact.id);
    return fact;
  }

  addModel(): Promise<Facts.ModelFact> {
    return Promise.reject(new Error("A notebook opens models in Python"));
  }

  watch(): () => void {
    return () => undefined; // the notebook itself tells how its kernel is
  }

  /** Asks until the run has ended; each answer holds what has arrived since. */
  async #follow(started: Facts.RunFact, listener: RunListener | null, signal: AbortSignal | null): Promise<Facts.RunFact> {
    const maps = [...started.maps];
    for (;;) {
      const { ended, ...now } = await this.#fact<Progress>("progress", { run: started.id, sent: maps.length }, signal);
      for (const map of now.maps) {
        maps.push(map);
        listener?.arrived(map, maps.length, Math.max(maps.length, now.total));
      }
      if (!ended) continue;
      await this.#fetchRead(now);
      signal?.throwIfAborted();
      return { ...now, maps };
    }
  }

  async #runAgain(request: RunRequest): Promise<void> {
    await this.#follow(await this.#fact<Facts.RunFact>("start", { ...request }), null, null);
  }

  async #fact<T>(name: string, given: Record<string, unknown> = {}, signal?: AbortSignal | null): Promise<T> {
    return (await this.line.ask<T>(name, given, signal)).fact;
  }

  async #fetchRead(run: Facts.RunFact): Promise<void> {
    if (run.state === "done") await this.#fetch(`run ${run.id}`, "image/png", "picture", { run: run.id });
  }

  async #fetchOriginal(picture: string): Promise<void> {
    await this.#fetch(`picture ${picture}`, "image/webp", "original", { picture });
  }

  async #fetch(key: string, type: string, name: string, given: Record<string, unknown>): Promise<void> {
    if (this.#pictures.has(key)) return;
    const data = await this.line.ask(name, given).then(
      (reply) => reply.data,
      () => null, // arrays that were fed untouched are no picture
    );
    if (data) this.#pictures.set(key, URL.createObjectURL(new Blob([data], { type })));
  }
}

/** Waits for the port that the notebook's cell hands to this page. */
export function portSource(): Promise<PortSource> {
  return new Promise((resolve) => {
    window.addEventListener("message", function heard(event: MessageEvent<unknown>): void {
      const [port] = event.ports;
      if (event.source !== window.parent || event.data !== "convlens" || !port) return;
      window.removeEventListener("message", heard);
      resolve(new PortSource(new Line(port)));
    });
  });
}
