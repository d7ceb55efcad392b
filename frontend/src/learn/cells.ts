/** The cells of a grid with its padding, and the way from one to the next by keyboard. */
import type { Sheet } from "./sheets";

export interface Cell {
  row: number;
  column: number;
  /** Among the real cells; -1 in the padding. */
  n: number;
}

export function cellsOf(sheet: Sheet): Cell[] {
  const columns = sheet.columns + 2 * sheet.padding;
  return Array.from({ length: (sheet.rows + 2 * sheet.padding) * columns }, (_, place) => {
    const [row, column] = [Math.floor(place / columns), place % columns];
    const [own, beside] = [row - sheet.padding, column - sheet.padding];
    const inside = own >= 0 && beside >= 0 && own < sheet.rows && beside < sheet.columns;
    return { row, column, n: inside ? own * sheet.columns + beside : -1 };
  });
}

/** How many cells on a key leads: up, down, and sideways; in a field sideways only where the caret stands at the number's end. */
export function stepOf(event: KeyboardEvent, columns: number): number {
  const field = event.currentTarget;
  const step = { ArrowUp: -columns, ArrowDown: columns }[event.key];
  if (step !== undefined) return step;
  if (!(field instanceof HTMLInputElement)) return { ArrowLeft: -1, ArrowRight: 1 }[event.key] ?? 0;
  const all = field.selectionStart === 0 && field.selectionEnd === field.value.length;
  if (event.key === "ArrowLeft" && (all || field.selectionEnd === 0)) return -1;
  if (event.key === "ArrowRight" && (all || field.selectionStart === field.value.length)) return 1;
  return event.key === "Enter" ? 1 : 0;
}
