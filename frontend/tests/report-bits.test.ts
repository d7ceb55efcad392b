/**
 * Reads reports that Python made, and looks whether the page gets every layer's values as the file promises: the
 * framework's own bits where it says so. `tests/hosts/report/test_bits.py` makes them and names them in the environment.
 */
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import type { Contents } from "../src/source/embedded/contents";
import { Desk } from "../src/source/embedded/desk";

const files = (process.env["CONVLENS_REPORTS"] ?? "").split(":").filter((path) => path);

function opened(path: string): { contents: Contents; desk: Desk } {
  const html = readFileSync(path, "utf8");
  const blobs = new Map([...html.matchAll(/id="convlens-blob-(\d+)">([^<]*)</g)].map((found) => [Number(found[1]), found[2] as string]));
  const contents = JSON.parse((/id="convlens-contents"[^>]*>([^<]*)</.exec(html) as RegExpExecArray)[1] as string) as Contents;
  return { contents, desk: new Desk(contents, (blob) => blobs.get(blob) as string) };
}

describe("reports that Python made", () => {
  // Without reports there is nothing to look at: pytest makes them, runs this file and counts what passed.
  it.skipIf(files.length === 0).each(files.length ? files : ["none"])("give the bits that they promise: %s", { timeout: 240_000 }, async (path) => {
    const { contents, desk } = opened(path);
    for (const { id } of contents.runs) {
      const plans = await desk.plans(id);
      const { run } = await desk.open(id);
      expect(run.maps.length).toBe(Object.keys(plans).length);
      for (const map of run.maps) {
        const plan = plans[map.layer];
        const { exact } = await desk.maps(id, map.layer, 0, [0], 0);
        expect([map.layer, exact], `${map.layer} (${plan?.how})`).toEqual([map.layer, plan?.exact]);
        if (!plan?.exact) continue;
        const middle = map.shape.map((size) => size >> 1);
        const [fact, said] = await desk.explanation(id, map.layer, middle, 8);
        expect([map.layer, said.near, said.means]).toEqual([map.layer, null, null]);
        if (!("explained" in fact) || !fact.explained || said.reduced.length > 0) continue;
        expect([map.layer, fact.agrees, fact.verdict]).toEqual([map.layer, true, fact.verdict]);
      }
    }
  });
});
