/** Weights as they stand in Python code: a few as a list that can be read, many as base64. */
import { littleEndian } from "../onnx";
import type { Tensor } from "../../arithmetic/operations";

const READABLE = 81;

/** The call of `numbers`, which the code defines. */
export function numbers({ shape, data }: Tensor): string {
  const values = data as Float32Array;
  const text = values.length <= READABLE ? `[${[...values].map(float32).join(", ")}]` : `"${base64(littleEndian(values))}"`;
  return `numbers(${text}, ${shape.join(", ")})`;
}

/** The shortest decimal that is the same float32. */
export function float32(value: number): string {
  for (let digits = 1; digits < 9; digits++) {
    const text = Number(value.toPrecision(digits));
    if (Math.fround(text) === value) return String(text);
  }
  return String(Number(value.toPrecision(9)));
}

function base64(bytes: Uint8Array): string {
  let text = "";
  for (let at = 0; at < bytes.length; at += 8192) text += String.fromCharCode(...bytes.subarray(at, at + 8192));
  return btoa(text);
}

export function pair([rows, columns]: readonly [number, number]): string {
  return `(${rows}, ${columns})`;
}

/** What the numbers of a picture mean. */
export function valuesOf([channels]: readonly number[]): string {
  return channels === 1 ? "grey from 0 to 1" : "red, green and blue from 0 to 255";
}
