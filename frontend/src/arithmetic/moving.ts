/** Values that only move: pad, slice, reshape, transpose, concat, stack, and whatever else copies. */
import { real } from "./functions";
import type { Merge, Pad, Reshape, Slice, Tensor } from "./operations";
import { general, short } from "./printing";
import { CONSTANT, type Operands } from "./reading";
import { everywhere, flatIndex, indexOf, PADDING, product, sameShape, valueAt } from "./tensor";
import { paddedPosition } from "./windows";
import { single, type Working, working } from "./working";

type Mover = Pad | Slice | Reshape;

/** Where one value of a layer that moves values came from; `null` where the layer doesn't say its order. */
export function moved(operation: Mover, index: number[], outputs: number[], source: Tensor): Working | null {
  const place = whence(operation, index, outputs, source.shape);
  if (!place) return null;
  // Of the constant that is padded with, to the layer's own type; what only moves isn't rounded.
  const roundings = operation.type === "Pad" && real(operation.value) !== 0 ? 1 : 0;
  if (operation.type === "Pad" && place.includes(PADDING)) {
    const value = operation.mode === "zeros" || operation.mode === "constant" ? real(operation.value) : 0;
    return constant(`padding: ${short(value)}`, value, place.length, roundings);
  }
  let words = inputAt(place);
  if (operation.type === "Reshape" && operation.axes.length === 0)
    words = `number ${flatOf(index, outputs, operation)} in memory: ${words}`;
  return copied(place, source, words, 0, roundings);
}

/** A value that no input value enters. */
export function constant(formula: string, value: number, rank: number, roundings: number): Working {
  return working({
    rule: "constant",
    formula,
    window: { shape: [1], data: Float64Array.of(value) },
    places: Array.from({ length: rank }, () => everywhere(PADDING, 1)),
    total: value,
    roundings,
  });
}

/** A value that was taken over from `index` of an input, the one of this `number`. */
export function copied(index: number[], source: Tensor, words: string, number = 0, roundings = 0): Working {
  const value = valueAt(source, index);
  return single("copy", words, value, value, index, { inputs: everywhere(number, 1), roundings });
}

/** A value that an engine says was copied: `origin` has, for each output value, the number of its input value. */
export function taken(index: number[], source: Tensor, origin: Tensor): Working {
  const place = indexOf(valueAt(origin, index), source.shape);
  return copied(place, source, inputAt(place));
}

function inputAt(place: number[]): string {
  return `input at ${place.join(", ")}`;
}

function whence(operation: Mover, index: number[], outputs: number[], shape: number[]): number[] | null {
  if (operation.type === "Pad") {
    if (index.length !== shape.length || shape.length !== 1 + operation.padding.length) return null;
    const pads = [operation.channels, ...operation.padding];
    return index.map((place, axis) =>
      paddedPosition(place, pads[axis] as [number, number], shape[axis] as number, operation.mode),
    );
  }
  if (operation.type === "Slice") {
    if (operation.start.length !== shape.length - 1 || index.length !== shape.length) return null;
    const starts = [operation.first_channel, ...operation.start];
    const steps = [operation.channel_step, ...operation.step];
    return index.map((place, axis) => (starts[axis] as number) + (steps[axis] as number) * place);
  }
  if (operation.axes.length > 0) {
    if (operation.axes.length !== index.length || index.length !== shape.length) return null;
    const found = shape.map(() => index[0] as number);
    operation.axes.forEach((axis, n) => (found[axis] = index[n] as number));
    return found;
  }
  if (product(shape) !== product(outputs)) return null;
  const last = operation.channels_last && shape.length > 1;
  const place = indexOf(flatOf(index, outputs, operation), last ? turned(shape) : shape);
  return last ? [place.at(-1) as number, ...place.slice(0, -1)] : place;
}

/** The number that an index has in the framework's memory. */
function flatOf(index: number[], sizes: number[], operation: Reshape): number {
  const last = operation.channels_last && sizes.length > 1;
  return last ? flatIndex(turned(index), turned(sizes)) : flatIndex(index, sizes);
}

/** With the channels last. */
function turned(numbers: number[]): number[] {
  return [...numbers.slice(1), numbers[0] as number];
}

/** Whether these operands beside one another, along an old axis or a new one, have the layer's shape. */
export function linesUp(operation: Merge, outputs: number[], { values }: Operands): boolean {
  const { axis } = operation;
  if (axis === null || values.length === 0 || axis < 0 || axis >= outputs.length) return false;
  const others = without(outputs, axis);
  if (operation.function === "stack")
    return values.length === outputs[axis] && values.every(({ shape }) => sameShape(shape, others));
  const alike = values.every(({ shape }) => shape.length === outputs.length && sameShape(without(shape, axis), others));
  return alike && values.reduce((sum, { shape }) => sum + (shape[axis] as number), 0) === outputs[axis];
}

function without(numbers: number[], axis: number): number[] {
  return [...numbers.slice(0, axis), ...numbers.slice(axis + 1)];
}

/** Which operand a value of a concatenation or a stack came from. */
export function joined(operation: Merge, index: number[], operands: Operands): Working {
  const axis = operation.axis ?? 0;
  let place = index[axis] as number;
  const along = axis === 0 ? "channel" : `axis ${axis}`;
  if (operation.function === "stack") return from(operands, place, without(index, axis), "");
  let number = 0;
  const sizeOf = () => (operands.values[number] as Tensor).shape[axis] as number;
  while (place >= sizeOf()) {
    place -= sizeOf();
    number++;
  }
  return from(operands, number, [...index.slice(0, axis), place, ...index.slice(axis + 1)], ` at ${along} ${place}`);
}

/** The value at `index` of the operand at `place`, as it is. */
function from(operands: Operands, place: number, index: number[], where: string): Working {
  const source = operands.values[place] as Tensor;
  const number = operands.numbers[place] as number;
  if (number !== CONSTANT) return copied(index, source, `input ${number}${where}`, number);
  const value = valueAt(source, index);
  const words = `constant, operand ${place}${where}: ${general(value)}`;
  return { ...constant(words, value, index.length, 0), inputs: everywhere(CONSTANT, 1) };
}
