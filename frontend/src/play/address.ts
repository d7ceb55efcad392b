/** The playground as an address: `#/play?sketch=...&seed=...`, so that a link reopens the same networks. */
import type { Edit } from "./weights";

export interface Setup {
  readonly text: string;
  readonly seed: number;
  readonly edits: readonly Edit[];
}

const ROOM = "#/play";
/** What the playground begins with. */
export const FIRST: Setup = { text: "conv 3 3x3", seed: 0, edits: [] };
const MOST_SEED = 2 ** 32 - 1;

/** One variant, or two. `chosen`: the place of the block that is looked at. */
export function format(setups: readonly Setup[], chosen: number): string {
  const query = new URLSearchParams();
  setups.forEach((setup, n) => {
    const ending = n === 0 ? "" : "2";
    query.set(`sketch${ending}`, setup.text);
    if (setup.seed !== 0) query.set(`seed${ending}`, String(setup.seed));
    if (setup.edits.length) query.set(`typed${ending}`, setup.edits.map(one).join("_"));
  });
  if (chosen > 0) query.set("block", String(chosen));
  return `${ROOM}?${query.toString().replaceAll("%7C", "|").replaceAll("%2C", ",")}`;
}

export function parse(hash: string): { setups: Setup[]; chosen: number } {
  const query = new URLSearchParams(hash.split("?").slice(1).join("?"));
  const read = (ending: string): Setup | null => {
    const text = query.get(`sketch${ending}`);
    if (text === null) return null;
    return { text, seed: whole(query.get(`seed${ending}`), MOST_SEED), edits: (query.get(`typed${ending}`) ?? "").split("_").flatMap(edit) };
  };
  const second = read("2");
  return { setups: [read("") ?? FIRST, ...(second ? [second] : [])], chosen: whole(query.get("block"), 1000) };
}

/** `k0,2,1,1,1,0.5`: role, block, index, value. */
function one({ block, role, index, value }: Edit): string {
  return `${role === "kernel" ? "k" : "b"}${[block, ...index, value].join(",")}`;
}

function edit(text: string): Edit[] {
  const numbers = text.slice(1).split(",").map(Number);
  if (!/^[kb]/.test(text) || numbers.length < 3 || numbers.some((number) => !Number.isFinite(number))) return [];
  const value = Math.fround(numbers.pop() as number);
  const [block, ...index] = numbers as [number, ...number[]];
  if (![block, ...index].every((place) => Number.isSafeInteger(place) && place >= 0)) return [];
  return [{ block, role: text.startsWith("k") ? "kernel" : "bias", index, value }];
}

function whole(text: string | null, most: number): number {
  const value = Number(text ?? 0);
  return Number.isSafeInteger(value) && value >= 0 && value <= most ? value : 0;
}
