/** How one value came about, as data: the window, the kernel, the products, the steps from their sum to the value. */
import { bound, canOverflow } from "./rounding";
import { everywhere, type Grid, type Places } from "./tensor";

/** One line of the arithmetic: what was done, and the value after it. */
export interface Step {
  words: string;
  value: number;
}

/** One output value, taken apart; field by field the `Working` of Python, where they are explained. */
export interface Working {
  rule: string;
  formula: string;
  /** The input values that enter, in their natural shape; padding stands in it with the value that it has in the sum. */
  window: Grid;
  /** The weight of each, in the window's order; `null` where nothing is weighted. */
  kernel: Float64Array | null;
  /** What each contributes to the total; `null` where the values aren't added up. */
  products: Float64Array | null;
  /** Which entries decided, for a maximum; several where they tie. */
  winners: boolean[] | null;
  /** Which of the layer's inputs each value comes from; `CONSTANT` (-1) for what is no input but a constant. */
  inputs: Places;
  /** Where in that input, one an axis: `PADDING` outside and for constants, `NO_AXIS` where that input has no such axis. */
  places: Places[];
  bias: number | null;
  steps: Step[];
  total: number;
  activation: string | null;
  /** The entry that the value is made from, where the others only take its measure. */
  focus: number | null;
  /** How many rounded operations the framework makes at most, and what these roundings are relative to. */
  roundings: number;
  magnitude: number;
  /** The magnitude of what may be stored in the layer's own type on the way. */
  stored: number;
  /** What the terms add up to, where steps of another kind follow. */
  accumulated: number | null;
  /** How far off a rounding to whole numbers can be, and whatever else an error can make. */
  astray: number;
  /** The largest number on the way, where that is larger than `magnitude`. */
  peak: number;
  /** Whether the order of the work or the processor decides what comes out: such a value isn't explained. */
  unsettled: boolean;
}

type Said = Pick<Working, "rule" | "formula" | "window" | "places" | "total"> & Partial<Working>;

/** A working of what is said of it; the rest is as it mostly is. */
export function working(said: Said): Working {
  return {
    kernel: null,
    products: null,
    winners: null,
    inputs: everywhere(0, said.window.shape.length),
    bias: null,
    steps: [],
    activation: null,
    focus: null,
    roundings: 1,
    magnitude: 0,
    stored: 0,
    accumulated: null,
    astray: 0,
    peak: 0,
    unsettled: false,
    ...said,
  };
}

/** The working of a value that comes from one input value alone. */
export function single(
  rule: string,
  formula: string,
  value: number,
  total: number,
  index: readonly number[],
  more: Partial<Working> = {},
): Working {
  const window = { shape: [1], data: Float64Array.of(value) };
  return working({ rule, formula, window, total, places: index.map((place) => everywhere(place, 1)), ...more });
}

/** How far the framework's own value may lie from the exact total. */
export function tolerance(worked: Working, dtype: string, sumsIn: string | null): number {
  return bound(worked, dtype, sumsIn) + worked.astray;
}

/** Whether the layer's type may be too small for this value. */
export function overflows(worked: Working, dtype: string, sumsIn: string | null): boolean {
  const largest = worked.magnitude > worked.peak || Number.isNaN(worked.peak) ? worked.magnitude : worked.peak;
  return canOverflow(largest, worked.total, dtype, sumsIn);
}
