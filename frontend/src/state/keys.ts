/** The keyboard: one table of what each key does, and who may not be disturbed by it. */
import type { Key } from "../words";
import { MODES, SCALES } from "./address";
import { preferences } from "./preferences.svelte";
import { trainingOf } from "./training.svelte";
import type { View } from "./view.svelte";
import { stepsOf, walk } from "./walk";

/** The dialog that lists the keys. */
export const DIALOG = "keys";

export interface Binding {
  keys: readonly string[];
  words: Key;
  /** Returns false where there is nothing to do, so that the browser does what it always does. */
  act(view: View, event: KeyboardEvent): boolean | void;
  /** Whether it is listed; a key that can't do anything here isn't. */
  offered?(view: View): boolean;
}

const walks = (view: View) => stepsOf(view.session).length > 0 || trainingOf(view).steps.length > 0;

export const BINDINGS: readonly Binding[] = [
  { keys: ["/"], words: "keys.search", act: search },
  { keys: ["?"], words: "keys.help", act: help },
  { keys: ["["], words: "keys.channelBefore", act: (view) => view.chooseChannel(view.channel - 1) },
  { keys: ["]"], words: "keys.channelAfter", act: (view) => view.chooseChannel(view.channel + 1) },
  { keys: [","], words: "keys.layerBefore", act: (view) => stepLayer(view, -1) },
  { keys: ["."], words: "keys.layerAfter", act: (view) => stepLayer(view, 1) },
  { keys: ["p"], words: "keys.modelBefore", act: (view) => walk(view, -1) || trainingOf(view).move(-1), offered: walks },
  { keys: ["n"], words: "keys.modelAfter", act: (view) => walk(view, 1) || trainingOf(view).move(1), offered: walks },
  { keys: ["ArrowUp", "ArrowDown", "ArrowLeft", "ArrowRight"], words: "keys.pixel", act: movePixel },
  { keys: ["Enter"], words: "keys.explain", act: explain },
  { keys: ["b"], words: "keys.back", act: walkBack },
  { keys: ["f"], words: "keys.forth", act: (view) => walkForth(view) },
  { keys: ["Escape"], words: "keys.close", act: close },
  { keys: ["c"], words: "keys.colours", act: (view) => view.setColours({ mode: after(MODES, view.mode) }) },
  { keys: ["s"], words: "keys.scale", act: (view) => view.setColours({ scale: after(SCALES, view.scale) }) },
  { keys: ["t"], words: "keys.theme", act: () => preferences.setTheme(after(["system", "light", "dark"] as const, preferences.theme)) },
  { keys: ["l"], words: "keys.language", act: () => preferences.setLanguage(after(["en", "th"] as const, preferences.language)) },
];

/** Where typing, choosing or moving has a meaning of its own. */
const FIELDS = "input, select, textarea, dialog, [contenteditable]";
const MOVERS = "[role=grid], [role=tree], [role=tablist], [role=listbox], [role=menu], [role=radiogroup], [role=slider], [role=application], [role=treegrid]";
const PRESSED = "button, a, summary, [role=button], [role=gridcell], [role=treeitem]";

export function install(view: View): () => void {
  const pressed = (event: KeyboardEvent) => handle(view, event);
  document.addEventListener("keydown", pressed);
  return () => document.removeEventListener("keydown", pressed);
}

export function handle(view: View, event: KeyboardEvent): void {
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
  const key = latin(event);
  const binding = BINDINGS.find((one) => one.keys.includes(key));
  if (!binding || isTaken(event.target, key)) return;
  if (binding.act(view, event) !== false) event.preventDefault();
}

/** Whether the element that has the focus needs this key itself. */
function isTaken(target: EventTarget | null, key: string): boolean {
  const inside = (selector: string) => target !== null && "closest" in target && (target as Element).closest(selector) !== null;
  if (inside(FIELDS)) return true;
  const own = inside(MOVERS);
  if (key.startsWith("Arrow")) return own;
  if (key === "Enter") return own || inside(PRESSED);
  return inside("[role=tree], [role=treegrid], [role=listbox], [role=menu]") && /^[a-z]$/.test(key); // letters jump to names there
}

/** What a Latin keyboard has on this key: a Thai one writes other letters in the same places. */
export function latin(event: Pick<KeyboardEvent, "key" | "code" | "shiftKey">): string {
  if (event.key.length !== 1 || event.key <= "~") return event.key;
  const letter = /^Key([A-Z])$/.exec(event.code)?.[1];
  if (letter) return letter.toLowerCase();
  if (event.code === "Slash") return event.shiftKey ? "?" : "/";
  return { BracketLeft: "[", BracketRight: "]", Comma: ",", Period: "." }[event.code] ?? event.key;
}

function after<T>(all: readonly T[], one: T): T {
  return all[(all.indexOf(one) + 1) % all.length] ?? one;
}

function search(): boolean {
  const field = document.getElementById("search");
  field?.focus();
  return field !== null;
}

export function help(): void {
  const dialog = document.getElementById(DIALOG);
  if (dialog instanceof HTMLDialogElement && !dialog.open) dialog.showModal();
}

function stepLayer(view: View, step: number): boolean {
  const layers = view.network?.layers ?? [];
  const next = layers[layers.findIndex((layer) => layer.name === view.layer) + step];
  if (next) view.chooseLayer(next.name);
  return next !== undefined;
}

function movePixel(view: View, event: KeyboardEvent): boolean {
  if (!view.pixel) return false;
  const step = event.shiftKey ? 10 : 1;
  const [row, column] = view.pixel;
  const down = { ArrowUp: -step, ArrowDown: step }[event.key] ?? 0;
  const across = { ArrowLeft: -step, ArrowRight: step }[event.key] ?? 0;
  view.choosePixel(row + down, column + across);
  return true;
}

function explain(view: View): boolean {
  const map = view.map;
  if (!map) return false;
  const hover = view.hover?.layer === map.layer ? view.hover : null;
  if (hover && hover.channel !== view.channel) view.chooseChannel(hover.channel);
  if (hover) view.choosePixel(hover.row, hover.column);
  else if (view.pixel) return false;
  else view.choosePixel(Math.floor(map.rows / 2), Math.floor(map.columns / 2));
  return true;
}

/** Towards the picture: along the trail that was walked before, or else to the largest term. */
function walkBack(view: View): boolean {
  const shown = view.trail[view.step];
  const run = view.run?.id;
  if (!shown || run === undefined) return false;
  if (view.step + 1 < view.trail.length) {
    view.walkTo(view.step + 1);
    return true;
  }
  if (!view.maps.has(shown.layer)) return true; // the picture: there is no way further
  view.source
    .explanation(run, shown.layer, shown.index, 1)
    .then((found) => {
      const term = "terms" in found ? found.terms[0] : undefined;
      if (term && view.trail[view.step] === shown && view.run?.id === run) view.walkBack(term.layer, term.index);
    })
    .catch(() => undefined); // the explanation itself says what is wrong
  return true;
}

function walkForth(view: View): boolean {
  if (view.step === 0) return false;
  view.walkTo(view.step - 1);
  return true;
}

function close(view: View): boolean {
  if (view.problem) view.dismissProblem();
  else if (view.pixel) view.closePixel();
  else return false;
  return true;
}
