/** Numbers in the cells of a kernel: what fits. */
import { fixed } from "../panels/numbers";

/** A number in at most `room` characters: with so many decimals, or as many as there is room for, or as a power of ten. */
export function fitting(value: number, decimals: number, room: number): string {
  for (let kept = decimals; kept >= 0; kept--) {
    const text = fixed(value, kept);
    if (text.length > room) continue;
    if (kept === decimals || value === 0 || /[1-9]/.test(text)) return text;
    break;
  }
  return value.toExponential(0).replace("e+", "e").replaceAll("-", "−");
}
