/** How a pixel became the network's value, `(pixel * scale - mean) / std`, and the way back from the value. */
import type { Num, RecipeFact } from "../../source/facts";
import { real, short } from "../numbers";

function constants(recipe: RecipeFact, channel: number): [number, number] {
  return [recipe.mean[channel % recipe.mean.length] ?? 0, recipe.std[channel % recipe.std.length] ?? 1];
}

/** The pixel, 0 to 255, that a value was made from; null where no pixel makes it. */
export function pixelOf(recipe: RecipeFact, channel: number, value: Num): number | null {
  const [mean, std] = constants(recipe, channel);
  const found = (real(value) * std + mean) / recipe.scale;
  const near = Math.round(found) + 0; // never a negative zero
  if (!Number.isFinite(found) || found < -0.01 || found > 255.01) return null;
  return Math.abs(found - near) < 0.01 ? near : found;
}

/** The recipe's arithmetic with this pixel's numbers put in; empty where the pixel is read as it is. */
export function madeFrom(recipe: RecipeFact, channel: number, pixel: number, value: Num): string {
  const [mean, std] = constants(recipe, channel);
  if (recipe.scale === 1 && mean === 0 && std === 1) return "";
  const divisor = Math.round(1 / recipe.scale);
  let text = short(pixel);
  if (recipe.scale !== 1) text += 1 / divisor === recipe.scale ? ` / ${divisor}` : ` × ${short(recipe.scale, 6)}`;
  if (mean !== 0) text += ` ${mean < 0 ? "+" : "−"} ${short(Math.abs(mean), 6)}`;
  if (std !== 1) text = `${mean !== 0 || recipe.scale !== 1 ? `(${text})` : text} / ${short(std, 6)}`;
  return `${text} = ${short(value, 6)}`;
}
