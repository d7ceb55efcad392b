/** Numbers in the cells of a kernel: what fits. */
import { decimalsFor, fixed } from "../panels/numbers";

/** Decimals that give the largest number three digits; fewer where one would have no room for them. */
export function decimalsIn(values: Iterable<number>, room: number): number {
  let decimals = decimalsFor(values, 3);
  while (decimals > 1 && [...values].some((value) => fixed(value, decimals).length > room)) decimals--;
  return decimals;
}

/** A number with so many decimals, in at most `room` characters; in fewer digits, or as a power of ten, where it needs more. */
export function fitting(value: number, decimals: number, room: number): string {
  for (let kept = decimals; kept >= 0; kept--) {
    const text = fixed(value, kept);
    if (text.length > room) continue;
    if (kept === decimals || value === 0 || /[1-9]/.test(text)) return text;
    break;
  }
  return value.toExponential(0).replace("e+", "e").replaceAll("-", "−");
}
