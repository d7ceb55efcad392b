/** The colours of a lesson's cells: the house's scale with zero in the middle, and ink that can be read on each. */
import { palette } from "../paint/colours";
import { indexOf, scaleFor } from "../paint/scale";

export interface Colour {
  readonly ground: string;
  readonly ink: string;
}

/** Half of the scale's ends is left free, so that no cell shouts. */
const CALM = 1.6;

/** The colour of each number, measured against the largest among them. */
export function coloursOf(numbers: readonly number[]): Colour[] {
  const limit = Math.max(...numbers.map(Math.abs), 0) * CALM;
  const scale = scaleFor(-limit, limit, "diverging");
  const colours = palette(true);
  return numbers.map((number) => {
    const at = indexOf(number, scale) * 3;
    const bytes = [...colours.subarray(at, at + 3)];
    return { ground: `rgb(${bytes.join(" ")})`, ink: luminance(bytes) > 0.179 ? "#000" : "#fff" };
  });
}

/** WCAG's relative luminance; beyond 0.179 black stands out more than white. */
function luminance(bytes: readonly number[]): number {
  const [red = 0, green = 0, blue = 0] = bytes.map((byte) => (byte / 255 <= 0.04045 ? byte / 255 / 12.92 : ((byte / 255 + 0.055) / 1.055) ** 2.4));
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}
