/** Where a block's sizes and parameters come from, as formulas with their own numbers put in. */
import { dilationOf, isSliding, isWeighted, type Sliding } from "./blocks";
import { addedOf, biases, padsOf, weightShape, type Fit } from "./geometry";

/** Rows, then columns: `⌊(1440 + 0 + 0 − 3) / 1⌋ + 1 = 1438`. Null where nothing slides. */
export function sizeFormulas({ block, input, output }: Fit): [rows: string, columns: string] | null {
  if (!isSliding(block)) return null;
  return [along(block, 0, input, output), along(block, 1, input, output)];
}

function along(block: Sliding, axis: 0 | 1, input: readonly number[], output: readonly number[]): string {
  const [size, stride, kernel, dilation] = [input[axis + 1], block.stride[axis], block.kernel[axis], dilationOf(block)[axis]];
  const [before, after] = padsOf(block, input)[axis];
  const reach = dilation * (kernel - 1) + 1;
  if (block.kind === "tconv") return `(${size} − 1) × ${stride} − ${before} − ${after} + ${reach} + ${addedOf(block)[axis]} = ${output[axis + 1]}`;
  const padded = before || after ? `${size} + ${before} + ${after}` : `${size}`;
  return `⌊(${padded} − ${reach}) / ${stride}⌋ + 1 = ${output[axis + 1]}`;
}

/** `3 × (3 × 3 × 3) + 3 = 84`: filters, times channels, rows and columns of a kernel, and the biases. Null without weights. */
export function parameterFormula({ block, input, parameters }: Fit): string | null {
  if (!isWeighted(block)) return null;
  const shape = weightShape(block, input);
  const count = biases(block, input);
  const [first, ...rest] = block.kind === "tconv" ? [shape[1], shape[0], ...shape.slice(2)] : shape;
  const weights = rest.length > 1 ? `${first} × (${rest.join(" × ")})` : `${first} × ${rest[0]}`;
  return `${weights}${count ? ` + ${count}` : ""} = ${parameters}`;
}
