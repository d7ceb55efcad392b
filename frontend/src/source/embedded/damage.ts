/** Which parts of a report's file aren't what was written, by their names. */
import { t, type Key } from "../../words";
import { Blobs, checked } from "./blobs";
import type { Contents, ModelContents, RunContents } from "./contents";
import { pause } from "./pausing";

const MOST_NAMED = 6;

/** The blobs that aren't what was written, by number. */
export async function damagedBlobs(contents: Contents, texts: (blob: number) => string): Promise<number[]> {
  const found: number[] = [];
  for (const [blob, checksum] of (contents.checksums ?? []).entries()) {
    await pause();
    if (!checked(texts(blob), checksum)) found.push(blob);
  }
  return found;
}

/** What these blobs hold, in words; the first few of them. */
export async function named(damaged: number[], contents: Contents, texts: (blob: number) => string): Promise<string> {
  const names = await namesOf(contents, texts);
  const each = [...new Set(damaged.map((blob) => names.get(blob) ?? t("file.part.other", { name: blob })))];
  return each.slice(0, MOST_NAMED).join(", ") + (each.length > MOST_NAMED ? ", …" : "");
}

/** The name of every blob that the facts tell of, as far as these are whole. */
async function namesOf(contents: Contents, texts: (blob: number) => string): Promise<Map<number, string>> {
  const blobs = new Blobs(texts, contents.checksums);
  const names = new Map<number, string>();
  const pictureOf = (id: string) => contents.session.pictures.find((picture) => picture.id === id)?.name ?? id;
  const modelOf = (id: string) => contents.session.models.find((model) => model.id === id)?.name ?? id;
  const call = (found: unknown, key: Key, name: string) => {
    for (const blob of blobsIn(found)) names.set(blob, t(key, { name }));
  };
  for (const [picture, blob] of Object.entries(contents.originals)) names.set(blob, t("file.part.original", { name: pictureOf(picture) }));
  for (const [id, blob] of Object.entries(contents.models)) {
    names.set(blob, t("file.part.model", { name: modelOf(id) }));
    const model = await blobs.json<ModelContents>(blob).catch(() => null);
    for (const [layer, roles] of Object.entries(model?.weights ?? {})) call(roles, "file.part.weights", layer);
  }
  for (const { blob, picture } of contents.runs) {
    names.set(blob, t("file.part.run", { name: pictureOf(picture) }));
    const run = await blobs.json<RunContents>(blob).catch(() => null);
    if (!run) continue;
    for (const [layer, plan] of Object.entries(run.plans)) call(plan, "file.part.values", layer);
    for (const [layer, seen] of Object.entries(run.seen)) call(seen, "file.part.seen", layer);
    for (const [name, input] of Object.entries(run.inputs)) call(input, "file.part.input", name);
    if (run.picture !== null) names.set(run.picture, t("file.part.picture", { name: pictureOf(picture) }));
  }
  return names;
}

/** Every blob that an array among these facts lies in. */
function blobsIn(found: unknown): number[] {
  if (typeof found !== "object" || found === null) return [];
  const own = "coding" in found && "blob" in found && typeof found.blob === "number" ? [found.blob] : [];
  return [...own, ...Object.values(found).flatMap(blobsIn)];
}
