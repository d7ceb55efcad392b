/** How many parameters a convolution has, with a word at each factor. */
import { t, type Key } from "../words";

export interface Filters {
  readonly filters: number;
  readonly channels: number;
  readonly rows: number;
  readonly columns: number;
  readonly bias: boolean;
}

/** `3 filters × (3 channels × 3 rows × 3 columns) + 3 biases = 84` */
export function parametersInWords({ filters, channels, rows, columns, bias }: Filters): string {
  const one = `${some(channels, "channel")} × ${some(rows, "row")} × ${some(columns, "column")}`;
  const biases = bias ? ` + ${some(filters, "bias")}` : "";
  return `${some(filters, "filter")} × (${one})${biases} = ${filters * channels * rows * columns + (bias ? filters : 0)}`;
}

const TERMS = /^(\d+)\*(\d+)\*(\d+)\*(\d+)( \+ \4)?$/;

/** A count of `convlens.derivation` (rows, columns, channels, filters) in the same words; `null` where it is another one. */
export function countedInWords(terms: string, value: number): string | null {
  const found = TERMS.exec(terms);
  if (!found) return null;
  const [rows = 0, columns = 0, channels = 0, filters = 0] = found.slice(1, 5).map(Number);
  const bias = found[5] !== undefined;
  return filters * (channels * rows * columns + Number(bias)) === value ? parametersInWords({ filters, channels, rows, columns, bias }) : null;
}

const MORE = { filter: "filters", channel: "channels", row: "rows", column: "columns", bias: "biases", unit: "units", input: "inputs" } as const;

/** A count with its word: `1 filter`, `3 filters`. */
export function some(count: number, one: keyof typeof MORE): string {
  return t(`learn.factor.${count === 1 ? one : MORE[one]}` as Key, { count });
}
