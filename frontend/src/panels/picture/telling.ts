/** What Python says of a picture's way into the network, and of what a file had to give up, in the person's language. */
import { translated, type Patterns } from "../../words/patterns";

const RECIPE: Patterns = [
  [/^(\d+) rows x (\d+) columns, not resized$/, "recipe.told.sizedAsIs"],
  [/^not resized$/, "recipe.told.asIs"],
  [/^stretched to (\d+) rows x (\d+) columns \((\w+)\)$/, "recipe.told.stretched"],
  [/^central crop to (\d+) rows x (\d+) columns \((\w+)\)$/, "recipe.told.cropped"],
  [/^([\d.]+) central crop to (\d+) rows x (\d+) columns \((\w+)\)$/, "recipe.told.croppedPart"],
  [/^padded with black to (\d+) rows x (\d+) columns \((\w+)\)$/, "recipe.told.padded"],
  [/^value = pixel(.*)$/, "recipe.told.value"],
  [/^(.+) stretched from (\d+) rows x (\d+) columns$/, "recipe.told.from"],
];

const REDUCTIONS: Patterns = [
  [/^The weights of (.+) are carried in float16$/, "file.reduced.weights16"],
  [/^The weights of (.+) are carried with 8 bits a weight$/, "file.reduced.weights8"],
  [/^The weights of (.+) are left out: these layers can be looked at, but not explained$/, "file.reduced.leftOut"],
  [/^The maps of (.+) are nearly the framework's own: worked out by the page, without the last bits$/, "file.reduced.nearly"],
  [/^The maps of (.+) are worked out by the page from maps of less precision$/, "file.reduced.fromReduced"],
  [/^The maps of (.+) are carried in float16, at 1\/(\d+) of their resolution$/, "file.reduced.small"],
  [/^The maps of (.+) are carried in float16$/, "file.reduced.half"],
];

/** A recipe in one line; a part that isn't known stays as it was told. */
export function recipeInWords(caption: string): string {
  return caption.split("; ").map((part) => translated(part, RECIPE)).join("; ");
}

export function reductionInWords(told: string): string {
  return translated(told, REDUCTIONS);
}
