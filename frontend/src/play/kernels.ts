/** Kernels that carry a name: what image processing used before kernels were learnt. The twin of `convlens.sketches.kernels`. */
import type { Pair } from "./blocks";

/** Kernels of 3x3 alone, as they slide (no flip). */
const FIXED: Readonly<Record<string, readonly number[]>> = {
  "sobel-x": [-1, 0, 1, -2, 0, 2, -1, 0, 1],
  "sobel-y": [-1, -2, -1, 0, 0, 0, 1, 2, 1],
  laplacian: [0, 1, 0, 1, -4, 1, 0, 1, 0],
  sharpen: [0, -1, 0, -1, 5, -1, 0, -1, 0],
  emboss: [-2, -1, 0, -1, 1, 1, 0, 1, 2],
};

/** Kernels that exist in any size; 3x3 unless another is asked for. */
export const SCALABLE: readonly string[] = ["gaussian", "box", "identity"];
/** Scalable kernels that need a pixel in their middle: odd sizes only. */
export const CENTRED: readonly string[] = ["gaussian", "identity"];
export const NAMES: readonly string[] = [...Object.keys(FIXED), ...SCALABLE];
/** The longest side of a named kernel. */
export const LARGEST = 255;

/** Whether a kernel of this name exists in this size. */
export function comesIn(name: string, [rows, columns]: Pair): boolean {
  if (name in FIXED) return rows === 3 && columns === 3;
  return !CENTRED.includes(name) || (rows % 2 === 1 && columns % 2 === 1);
}

/** The weights of the kernel called `name`, row by row. */
export function namedKernel(name: string, [rows, columns]: Pair): Float32Array {
  if (name === "gaussian") {
    const down = binomial(rows);
    const across = binomial(columns);
    return Float32Array.from({ length: rows * columns }, (_, n) => (down[Math.floor(n / columns)] as number) * (across[n % columns] as number));
  }
  if (name === "box") return new Float32Array(rows * columns).fill(1 / (rows * columns));
  if (name === "identity") {
    const kernel = new Float32Array(rows * columns);
    kernel[(rows >> 1) * columns + (columns >> 1)] = 1;
    return kernel;
  }
  return Float32Array.from(FIXED[name] ?? []);
}

/** A row of Pascal's triangle, divided by its sum. */
function binomial(length: number): Float64Array {
  const row = new Float64Array(length);
  row[0] = 2 ** (1 - length);
  for (let k = 1; k < length; k++) row[k] = ((row[k - 1] as number) * (length - k)) / k;
  return row;
}
