/**
 * Reports that Python made, with one letter changed: whatever the page then shows is what was written, or the page says
 * that the file is damaged, and which part. `tests/hosts/report/test_damage.py` makes them.
 */
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import type { Contents } from "../src/source/embedded/contents";
import { EmbeddedSource, readContents } from "../src/source/embedded/source";
import { Problem } from "../src/source/source";

const files = (process.env["CONVLENS_DAMAGED"] ?? "").split(":").filter((path) => path);
const seed = Number(process.env["CONVLENS_SEED"] ?? "1");
const LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/-_ é";

interface Opened {
  text: string;
  checksum: number;
  contents: Contents;
  blobs: string[];
}

function opened(path: string): Opened {
  const html = readFileSync(path, "utf8");
  const [, checksum, text] = /id="convlens-contents" data-crc32="(\w+)">([^<]*)</.exec(html) as unknown as [string, string, string];
  const blobs = [...html.matchAll(/id="convlens-blob-(\d+)">([^<]*)</g)].map((found) => found[2] as string);
  return { text, checksum: Number.parseInt(checksum, 16), contents: JSON.parse(text) as Contents, blobs };
}

/** Numbers from 0 to 1, the same for the same seed. */
function drawing(state: number): () => number {
  return () => {
    state = (state * 1664525 + 1013904223) % 2 ** 32;
    return state / 2 ** 32;
  };
}

/** All that a person can see of a file: by question, the answer as text, or what is said instead. */
async function seen(contents: Contents | null, blobs: string[]): Promise<Map<string, string>> {
  const source = new EmbeddedSource(contents, (blob) => blobs[blob] ?? "");
  const found = new Map<string, string>();
  const ask = async (name: string, work: () => unknown) => {
    try {
      found.set(name, JSON.stringify(await work(), (_, value: unknown) => (value instanceof Float32Array ? [...value].map(String) : value)));
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      found.set(name, `! ${error.fact.problem}`);
    }
  };
  await ask("session", () => source.session());
  for (const { id: run, model, picture } of contents?.runs ?? []) {
    const of = { model };
    await ask("network", () => source.network(of));
    const listener = { started: () => undefined, ended: () => undefined } as never;
    await ask("run", () => source.run({ model, picture, recipe: null } as never, listener, new AbortController().signal));
    await ask("picture", () => source.pictureAddress(run));
    await ask("original", () => source.originalAddress(picture));
    for (const layer of ["conv", "relu", "maxpool"]) {
      await ask(`derivation ${layer}`, () => source.derivation(of, layer));
      await ask(`channels ${layer}`, () => source.channels(run, layer));
      await ask(`maps ${layer}`, () => source.maps(run, layer, 0, [0, 1], 0));
      await ask(`small ${layer}`, () => source.maps(run, layer, 2, [0, 1], 0, undefined, true));
      await ask(`why ${layer}`, () => source.explanation(run, layer, [1, 2, 3], 4));
      await ask(`field ${layer}`, () => source.field(run, layer, [1, 2, 3]));
    }
    await ask("kernels", () => source.kernels(of, "conv"));
    await ask("kernel values", () => source.kernelValues(of, "conv", 0, 2));
    await ask("input", () => source.explanation(run, "image", [0, 1, 1], 4));
  }
  const damage = await source.damage();
  found.set("damage", damage?.fact.problem ?? "none");
  return found;
}

describe("a report with one letter changed", () => {
  it.skipIf(files.length === 0).each(files.length ? files : ["none"])("never misleads: %s", { timeout: 240_000 }, async (path) => {
    const { text, checksum, contents, blobs } = opened(path);
    const whole = await seen(contents, blobs);
    expect(whole.get("damage")).toBe("none");
    expect([...whole.values()].filter((said) => said.startsWith("! ") && said.includes("damaged"))).toEqual([]);
    const draw = drawing(seed);
    let named = 0;
    for (const [number, blob] of blobs.entries()) {
      for (const share of [0, 0.5, draw(), draw(), 0.999]) {
        const at = Math.min(Math.floor(share * blob.length), blob.length - 4);
        const letter = LETTERS[Math.floor(draw() * LETTERS.length)] as string;
        const changed = blob.slice(0, at) + (letter === blob[at] ? "." : letter) + blob.slice(at + 1);
        const found = await seen(contents, blobs.map((one, n) => (n === number ? changed : one)));
        const where = `blob ${number}, letter ${at}, seed ${seed}`;
        for (const [name, said] of found) {
          if (name === "damage") continue;
          const empty = (name === "picture" || name === "original") && said === '""';
          expect(said === whole.get(name) || empty || said.includes("damaged"), `${where}: ${name}: ${said.slice(0, 200)}`).toBe(true);
        }
        expect(found.get("damage"), where).toContain("damaged");
        expect(found.get("damage"), where).not.toMatch(/undefined|part \d/);
        named++;
      }
    }
    expect(named).toBe(5 * blobs.length);
    for (let n = 0; n < 200; n++) {
      const at = Math.floor(draw() * text.length);
      const changed = text.slice(0, at) + (text[at] === "7" ? "8" : "7") + text.slice(at + 1);
      expect(readContents(changed, checksum), `contents, letter ${at}, seed ${seed}`).toBeNull();
    }
    expect((await seen(readContents(`${text} `, checksum), blobs)).get("session")).toContain("damaged");
    expect(await seen({ ...contents, checksums: undefined } as never, blobs)).toEqual(whole); // as in earlier files
  });
});
