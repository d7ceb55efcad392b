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
  const one = `${some(channels, "learn.factor.channel", "learn.factor.channels")} × ${some(rows, "learn.factor.row", "learn.factor.rows")} × ${some(columns, "learn.factor.column", "learn.factor.columns")}`;
  const weights = `${some(filters, "learn.factor.filter", "learn.factor.filters")} × (${one})`;
  const biases = bias ? ` + ${some(filters, "learn.factor.bias", "learn.factor.biases")}` : "";
  return `${weights}${biases} = ${filters * channels * rows * columns + (bias ? filters : 0)}`;
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

function some(count: number, one: Key, more: Key): string {
  return t(count === 1 ? one : more, { count });
}
