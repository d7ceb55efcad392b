/**
 * A convolution's input laid out so that every tap reads a straight run of numbers.
 *
 * Padding is written out as zeros, and a stride parts a map into as many sheets as there are places to begin at: with stride 2
 * the even and the odd rows and columns. The values under a tap for a whole map then lie one after the other in one sheet.
 */
import type { Convolution } from "../../arithmetic/operations";

/** Settings of three axes (depth, rows, columns), 1 and 0 where the convolution has less. */
export interface Grid {
  outputs: number[];
  kernel: number[];
  stride: number[];
  dilation: number[];
  before: number[];
}

export interface Sheets {
  data: Float32Array;
  /** Bytes that are no part of the source. */
  own: number;
  /** From one row of a sheet to the next. */
  width: number;
  /** Where the value lies in `data` that tap (depth, row, column) of a channel reads for the output (depth, 0, 0). */
  at(channel: number, outputDepth: number, tap: number[]): number;
}

export function gridOf(operation: Convolution, outputs: number[]): Grid {
  const three = (values: number[], fill: number) => [...Array<number>(3 - values.length).fill(fill), ...values];
  return {
    outputs: three(outputs, 1),
    kernel: three(operation.kernel_size, 1),
    stride: three(operation.stride, 1),
    dilation: three(operation.dilation, 1),
    before: three(operation.padding.map(([first]) => first), 0),
  };
}

/** `sizes`: of the input's three axes. Negative padding crops. */
export function sheetsOf(grid: Grid, source: Float32Array, channels: number, sizes: number[]): Sheets {
  const [, down, right] = grid.stride as [number, number, number];
  const needed = grid.outputs.map((count, n) => (count - 1) * at(grid.stride, n) + at(grid.dilation, n) * (at(grid.kernel, n) - 1) + 1);
  const [depths, rows, columns] = needed as [number, number, number];
  const [deep, high, wide] = sizes as [number, number, number];
  const [front, top, left] = grid.before as [number, number, number];
  const alone = down === 1 && right === 1;
  const fits = [front, top, left].every((before) => before === 0) && needed.every((need, n) => need <= at(sizes, n));
  if (alone && fits) return sheets(grid, source, 0, { depths: deep, high, wide, down, right });

  const sheetHigh = Math.ceil(rows / down);
  const sheetWide = Math.ceil(columns / right);
  const data = new Float32Array(channels * depths * down * right * sheetHigh * sheetWide);
  for (let channel = 0; channel < channels; channel++) {
    for (let depth = 0; depth < depths; depth++) {
      const from = depth - front;
      if (from < 0 || from >= deep) continue;
      for (let row = 0; row < rows; row++) {
        const above = row - top;
        if (above < 0 || above >= high) continue;
        const line = ((channel * deep + from) * high + above) * wide - left;
        const sheet = (channel * depths + depth) * down + (row % down);
        const first = Math.max(0, left);
        const last = Math.min(columns, wide + left);
        const start = Math.floor(row / down) * sheetWide;
        if (right === 1) {
          if (last > first) data.set(source.subarray(line + first, line + last), sheet * sheetHigh * sheetWide + start + first);
          continue;
        }
        for (let n = first; n < last; n++) {
          data[(sheet * right + (n % right)) * sheetHigh * sheetWide + start + Math.floor(n / right)] = source[line + n] as number;
        }
      }
    }
  }
  return sheets(grid, data, data.byteLength, { depths, high: sheetHigh, wide: sheetWide, down, right });
}

/** How many depths a channel has, how large a sheet is, and how many there are of each depth. */
interface Size {
  depths: number;
  high: number;
  wide: number;
  down: number;
  right: number;
}

function sheets(grid: Grid, data: Float32Array, own: number, size: Size): Sheets {
  const { depths, high, wide, down, right } = size;
  return {
    data,
    own,
    width: wide,
    at(channel, outputDepth, tap) {
      const depth = outputDepth * at(grid.stride, 0) + at(tap, 0) * at(grid.dilation, 0);
      const row = at(tap, 1) * at(grid.dilation, 1);
      const column = at(tap, 2) * at(grid.dilation, 2);
      const sheet = ((channel * depths + depth) * down + (row % down)) * right + (column % right);
      return (sheet * high + Math.floor(row / down)) * wide + Math.floor(column / right);
    },
  };
}

function at(values: number[], n: number): number {
  return values[n] as number;
}
