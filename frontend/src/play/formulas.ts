/** Where a block's sizes and parameters come from, as formulas with their own numbers put in. */
import { parametersInWords, some } from "../learn/parameters";
import { dilationOf, isSliding, isWeighted, type Sliding } from "./blocks";
import { addedOf, biases, padsOf, weightShape, type Fit } from "./geometry";

/** Rows, then columns: `1440 − 3 + 1 = 1438`, and with a stride of 2 `⌊(1440 − 3) / 2⌋ + 1 = 719`. Null where nothing slides. */
export function sizeFormulas({ block, input, output }: Fit): [rows: string, columns: string] | null {
  if (!isSliding(block)) return null;
  return [along(block, 0, input, output), along(block, 1, input, output)];
}

function along(block: Sliding, axis: 0 | 1, input: readonly number[], output: readonly number[]): string {
  const [size, stride, made] = [input[axis + 1], block.stride[axis], output[axis + 1]];
  const [before, after] = padsOf(block, input)[axis];
  const reach = reachOf(block, axis);
  if (block.kind === "tconv") return `(${size} − 1) × ${stride} − ${before} − ${after} + ${reach} + ${addedOf(block)[axis]} = ${made}`;
  const padded = before || after ? `${size} + ${before} + ${after}` : `${size}`;
  return stride === 1 ? `${padded} − ${reach} + 1 = ${made}` : `⌊(${padded} − ${reach}) / ${stride}⌋ + 1 = ${made}`;
}

function reachOf(block: Sliding, axis: 0 | 1): number {
  return dilationOf(block)[axis] * (block.kernel[axis] - 1) + 1;
}

/** From the first to the last cell of a kernel that is spread: `4 × (3 − 1) + 1 = 9`, for rows and columns if they differ. */
export function reachFormulas({ block }: Fit): string[] {
  if (!isSliding(block)) return [];
  const spread = dilationOf(block);
  const formulas = ([0, 1] as const).filter((axis) => spread[axis] > 1).map((axis) => `${spread[axis]} × (${block.kernel[axis]} − 1) + 1 = ${reachOf(block, axis)}`);
  return [...new Set(formulas)];
}

/** `3 filters × (3 channels × 3 rows × 3 columns) + 3 biases = 84`. Null without weights. */
export function parameterFormula({ block, input, parameters }: Fit): string | null {
  if (!isWeighted(block)) return null;
  const [first = 0, second = 0, rows = 0, columns = 0] = weightShape(block, input);
  const count = biases(block, input);
  if (block.kind === "dense") return `${some(first, "unit")} × ${some(second, "input")}${count ? ` + ${some(count, "bias")}` : ""} = ${parameters}`;
  const [filters, channels] = block.kind === "tconv" ? [second, first] : [first, second];
  return parametersInWords({ filters, channels, rows, columns, bias: count > 0 });
}
