/** The recipe as the text that a person edits, and back. */
import type { RecipeFact } from "../../source/facts";

export const RESIZES = ["none", "stretch", "crop", "pad"] as const;
export const INTERPOLATIONS = ["bicubic", "bilinear", "nearest", "lanczos"] as const;
export const CHANNELS = ["rgb", "bgr", "grey"] as const;

export interface RecipeText {
  resize: string;
  size: string;
  crop: string;
  interpolation: string;
  channels: string;
  scale: string;
  mean: string;
  std: string;
}

export type Field = keyof RecipeText;

export function textOf(recipe: RecipeFact): RecipeText {
  return {
    resize: recipe.resize,
    size: recipe.size?.join(" × ") ?? "",
    crop: String(recipe.crop),
    interpolation: recipe.interpolation,
    channels: recipe.channels,
    scale: scaleText(recipe.scale),
    mean: recipe.mean.join(", "),
    std: recipe.std.join(", "),
  };
}

/** The recipe that the text says, or the fields that can't be read. */
export function read(text: RecipeText): { recipe: RecipeFact } | { wrong: Field[] } {
  const size = sizeOf(text.size);
  const numbers = { crop: number(text.crop), scale: number(text.scale) };
  const lists = { mean: list(text.mean), std: list(text.std) };
  const wrong: Field[] = [];
  if (size === undefined) wrong.push("size");
  if (!(numbers.crop > 0 && numbers.crop <= 1)) wrong.push("crop");
  if (!Number.isFinite(numbers.scale) || numbers.scale === 0) wrong.push("scale");
  if (lists.mean === null) wrong.push("mean");
  if (lists.std === null || lists.std.includes(0)) wrong.push("std");
  if (wrong.length > 0 || size === undefined || !lists.mean || !lists.std) return { wrong };
  return {
    recipe: {
      resize: text.resize,
      size,
      crop: text.resize === "crop" ? numbers.crop : 1, // a crop fraction goes with the resize "crop" alone
      interpolation: text.interpolation,
      channels: text.channels,
      scale: numbers.scale,
      mean: lists.mean,
      std: lists.std,
      notes: [],
    },
  };
}

/** 1/255 reads better than 0.00392156862745098, and is the same number. */
function scaleText(scale: number): string {
  for (const divisor of [255, 127.5, 128, 256]) if (scale === 1 / divisor) return `1/${divisor}`;
  return String(scale);
}

function number(text: string): number {
  const [above = "", below, more] = text.split("/");
  if (above.trim() === "" || more !== undefined || below?.trim() === "") return NaN;
  return below === undefined ? Number(above) : Number(above) / Number(below);
}

function list(text: string): number[] | null {
  const numbers = text.split(/[\s,;]+/).filter((part) => part !== "").map(number);
  return (numbers.length === 1 || numbers.length === 3) && numbers.every(Number.isFinite) ? numbers : null;
}

/** Null leaves the size to the model; undefined can't be read. */
function sizeOf(text: string): number[] | null | undefined {
  if (text.trim() === "") return null;
  const found = /^\s*(\d+)\s*[x×,\s]\s*(\d+)\s*$/.exec(text);
  const sizes = found ? [Number(found[1]), Number(found[2])] : [];
  return sizes.length === 2 && sizes.every((size) => size > 0) ? sizes : undefined;
}
