/** The playground as an address: `#/play?sketch=...&seed=...`, so that a link reopens the same networks. */
import { isStep } from "./digits";
import { typed } from "./entry.svelte";
import type { Edit } from "./weights";

export interface Setup {
  readonly text: string;
  readonly seed: number;
  readonly edits: readonly Edit[];
  /** The place of the block that is looked at. */
  readonly chosen: number;
  /** The step of a shipped training whose weights it has; the picture is then one that was trained on. */
  readonly step?: string | undefined;
}

const ROOM = "#/play";
/** What the playground begins with. */
export const FIRST: Setup = { text: "conv 3 3x3", seed: 0, edits: [], chosen: 0 };
export const MOST_SEED = 2 ** 32 - 1;
const MOST_PLACE = 1000;

/** One variant, or two. */
export function format(setups: readonly Setup[]): string {
  const query = new URLSearchParams();
  setups.forEach((setup, n) => {
    const ending = n === 0 ? "" : "2";
    query.set(`sketch${ending}`, setup.text);
    if (setup.seed !== 0) query.set(`seed${ending}`, String(setup.seed));
    if (setup.step) query.set(`weights${ending}`, setup.step);
    if (setup.edits.length) query.set(`typed${ending}`, setup.edits.map(one).join("_"));
    if (setup.chosen !== (n === 0 ? 0 : setups[0]?.chosen)) query.set(`block${ending}`, String(setup.chosen));
  });
  return `${ROOM}?${query.toString().replaceAll("%7C", "|").replaceAll("%2C", ",")}`;
}

export function parse(hash: string): Setup[] {
  const query = new URLSearchParams(hash.split("?").slice(1).join("?"));
  const chosen = whole(query.get("block"), MOST_PLACE) ?? 0;
  const read = (ending: string): Setup | null => {
    const text = query.get(`sketch${ending}`);
    if (text === null) return null;
    const step = query.get(`weights${ending}`);
    return {
      text,
      seed: whole(query.get(`seed${ending}`), MOST_SEED) ?? 0,
      edits: (query.get(`typed${ending}`) ?? "").split("_").flatMap(edit),
      chosen: whole(query.get(`block${ending}`), MOST_PLACE) ?? chosen,
      ...(isStep(step) ? { step } : {}),
    };
  };
  const second = read("2");
  return [read("") ?? FIRST, ...(second ? [second] : [])];
}

/** `k0,2,1,1,1,0.5`: role, block, index, value. */
function one({ block, role, index, value }: Edit): string {
  return `${role === "kernel" ? "k" : "b"}${[block, ...index, value].join(",")}`;
}

function edit(text: string): Edit[] {
  const words = text.slice(1).split(",");
  const value = typed(words.pop() ?? "");
  const [block, ...index] = words.map((word) => whole(word, Number.MAX_SAFE_INTEGER));
  if (!/^[kb]/.test(text) || value === null || block == null || !index.length) return [];
  const places = index.filter((place) => place !== null);
  return places.length < index.length ? [] : [{ block, role: text.startsWith("k") ? "kernel" : "bias", index: places, value }];
}

/** The digits of a whole number from 0 to `most`; `null` where the text is none. */
export function whole(text: string | null, most: number): number | null {
  return text !== null && /^\d+$/.test(text) && Number(text) <= most ? Number(text) : null;
}
