/** The source that a report carries in its own file: nothing is asked of anyone, everything is worked out in the page. */
import { t } from "../../words";
import type * as Facts from "../facts";
import { Problem, type Abilities, type Of, type RunListener, type RunRequest, type Source, type TilePlace, type Values } from "../source";
import { Asker } from "./asker";
import { checked } from "./blobs";
import { crcOfBytes } from "./crc";
import { damagedBlobs, named } from "./damage";
import type { Found, Given, What } from "./asking";
import { FORMAT, VERSION, type Contents } from "./contents";
import { NotHeld } from "./reason";
import { allInWords, inWords } from "./reasons";

export class EmbeddedSource implements Source {
  readonly can: Abilities = { run: false, effective: false, files: false };
  readonly #contents: Contents | null;
  readonly #asker: Asker;
  readonly #texts: (blob: number) => string;
  /** The blob of the picture as the network reads it, by run. */
  readonly #pictures = new Map<string, number | null>();

  static isHere(): boolean {
    return document.getElementById("convlens-contents") !== null;
  }

  /** Whether a blob is what was written, by its number. */
  readonly #whole = new Map<number, boolean>();

  /** `contents`: null where they aren't what was written. */
  constructor(contents: Contents | null = contentsOf(document), texts = (blob: number): string => textIn(document, blob), asker?: Asker) {
    this.#contents = contents;
    this.#texts = texts;
    const { models = {}, runs = [], checksums = [] } = contents ?? {};
    this.#asker = asker ?? new Asker({ models, runs, checksums }, texts);
  }

  async session(): Promise<Facts.SessionFact> {
    if (!this.#contents) throw new Problem({ problem: t("file.damagedFacts"), expected: "", received: "", hint: t("file.damagedHint") });
    const { format, version, session } = this.#contents;
    if (format !== FORMAT || version > VERSION) {
      const expected = `${FORMAT}, ${VERSION}`;
      throw new Problem({ problem: t("file.newer"), expected, received: `${format}, ${version}`, hint: t("file.newerHint") });
    }
    return session;
  }

  /** What of the file isn't what was written; null where all of it is. */
  async damage(): Promise<Problem | null> {
    if (!this.#contents) return null; // which the session says
    const damaged = await damagedBlobs(this.#contents, this.#texts);
    if (damaged.length === 0) return null;
    const parts = await named(damaged, this.#contents, this.#texts);
    return new Problem({ problem: t("file.damaged", { parts }), expected: "", received: "", hint: t("file.damagedHint") });
  }

  network(of: Of): Promise<Facts.NetworkFact> {
    return this.#ask("network", [this.#modelOf(of)]);
  }

  derivation(of: Of, layer: string): Promise<Facts.DerivationFact> {
    return this.#ask("derivation", [this.#modelOf(of), layer]);
  }

  kernels(of: Of, layer: string): Promise<Facts.KernelsFact> {
    return this.#ask("kernels", [this.#modelOf(of), layer]);
  }

  kernelValues(of: Of, layer: string, first: number, count: number): Promise<Values> {
    return this.#ask("kernelValues", [this.#modelOf(of), layer, first, count]);
  }

  holds(model: string, picture: string): boolean {
    return this.#runs.some((run) => run.model === model && run.picture === picture);
  }

  /** The run that the file holds of this model on this picture. */
  async run(request: RunRequest, listener: RunListener, signal: AbortSignal): Promise<Facts.RunFact> {
    const listed = this.#runs.find((run) => run.model === request.model && run.picture === request.picture);
    if (!listed || request.recipe) throw new Problem({ problem: t("file.noRun"), expected: "", received: "", hint: t("file.noRunHint") });
    const { run, picture } = await this.#ask("open", [listed.id]);
    signal.throwIfAborted();
    this.#pictures.set(run.id, picture);
    listener.started(run);
    listener.ended(run);
    return run;
  }

  channels(run: string, layer: string): Promise<Facts.ChannelsFact> {
    return this.#ask("channels", [run, layer]);
  }

  maps(run: string, layer: string, level: number, channels: number[], slice: number, signal?: AbortSignal, soon = false): Promise<Values> {
    return this.#ask("maps", [run, layer, level, channels, slice, soon], signal);
  }

  tile(run: string, place: TilePlace, signal?: AbortSignal): Promise<Values> {
    return this.#ask("tile", [run, { ...place }], signal);
  }

  async explanation(run: string, layer: string, index: number[], groups: number): Promise<Facts.ExplanationFact | Facts.PictureValueFact> {
    const [fact, { near, means, reduced }] = await this.#ask("explanation", [run, layer, [...index], groups]);
    return "input" in fact ? fact : { ...fact, near: near && inWords(near), means, reduced: allInWords(reduced) };
  }

  field(run: string, layer: string, index: number[]): Promise<Facts.BoxFact | null> {
    return this.#ask("field", [run, layer, [...index]]);
  }

  effective(): Promise<[Facts.EffectiveFact, Values]> {
    return Promise.reject(cannot());
  }

  pictureAddress(run: string): string {
    const blob = this.#pictures.get(run);
    return blob === null || blob === undefined ? "" : this.#address(blob);
  }

  originalAddress(picture: string): string {
    const blob = this.#contents?.originals[picture];
    return blob === undefined ? "" : this.#address(blob);
  }

  fileAddress(): string {
    return "";
  }

  addPicture(): Promise<Facts.PictureFact> {
    return Promise.reject(cannot());
  }

  addModel(): Promise<Facts.ModelFact> {
    return Promise.reject(cannot());
  }

  watch(): () => void {
    return () => undefined;
  }

  /** A file holds one model for each network: a run's facts are those of its model. */
  #modelOf(of: Of): string {
    return "model" in of ? of.model : (this.#runs.find(({ id }) => id === of.run)?.model ?? of.run);
  }

  get #runs(): Contents["runs"] {
    return this.#contents?.runs ?? [];
  }

  /** None of a picture that isn't what was written. */
  #address(blob: number): string {
    const text = this.#texts(blob);
    const whole = this.#whole.get(blob) ?? checked(text, this.#contents?.checksums?.[blob]) !== null;
    this.#whole.set(blob, whole);
    return whole ? address(text) : "";
  }

  async #ask<W extends What>(what: W, given: Given<W>, signal?: AbortSignal): Promise<Found<W>> {
    try {
      return await this.#asker.ask(what, given, signal);
    } catch (error) {
      if (!(error instanceof NotHeld)) throw error;
      const hint = t("damaged" in error.reason ? "file.damagedHint" : "file.missingHint");
      throw new Problem({ problem: inWords(error.reason), expected: "", received: "", hint });
    }
  }
}

/** What the file says of itself; null where that isn't what was written. */
function contentsOf(page: Document): Contents | null {
  const element = page.getElementById("convlens-contents");
  const checksum = element?.getAttribute("data-crc32") ?? null;
  return readContents(element?.textContent ?? "", checksum === null ? null : Number.parseInt(checksum, 16));
}

/** Contents as their text says; `checksum` is the CRC-32 of its UTF-8, null in earlier files. */
export function readContents(text: string, checksum: number | null): Contents | null {
  if (checksum !== null && crcOfBytes(new TextEncoder().encode(text)) !== checksum) return null;
  try {
    return JSON.parse(text) as Contents;
  } catch {
    return null;
  }
}

function textIn(page: Document, blob: number): string {
  return page.getElementById(`convlens-blob-${blob}`)?.textContent?.trim() ?? "";
}

/** A picture in the address itself; base64 tells by its first letters what it is. */
function address(base64: string): string {
  const type = base64.startsWith("iVBOR") ? "png" : base64.startsWith("UklGR") ? "webp" : "jpeg";
  return `data:image/${type};base64,${base64}`;
}

function cannot(): Problem {
  return new Problem({ problem: t("file.cannot"), expected: "", received: "", hint: t("file.cannotHint") });
}
