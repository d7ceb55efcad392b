/** Sizes, parameters and receptive fields as whole numbers. The twin of what `convlens.geometry` says, held to it by cases. */

/** One sliding window along both axes alike. */
export interface Slide {
  readonly kernel: number;
  readonly stride: number;
  readonly dilation: number;
  /** Zeros before and after. */
  readonly padding: number;
}

export const PLAIN: Slide = { kernel: 3, stride: 1, dilation: 1, padding: 0 };

/** How many input positions a kernel reaches over, from its first tap to its last. */
export function reach({ kernel, dilation }: Slide): number {
  return dilation * (kernel - 1) + 1;
}

/** Positions of a window along an axis of `size`; 0 where it is larger than the padded axis. */
export function outputSize(size: number, slide: Slide): number {
  const room = size + 2 * slide.padding - reach(slide);
  return room < 0 ? 0 : Math.floor(room / slide.stride) + 1;
}

/** How many positions at the end of the padded axis no window reaches. */
export function dropped(size: number, slide: Slide): number {
  const count = outputSize(size, slide);
  const all = size + 2 * slide.padding;
  return count === 0 ? all : all - ((count - 1) * slide.stride + reach(slide));
}

/** Weights and biases of a convolution with square kernels. */
export function convolutionParameters(channels: number, filters: number, kernel: number, bias = true): number {
  return filters * channels * kernel * kernel + (bias ? filters : 0);
}

/** Weights and biases of a layer in which every output has a weight for every input. */
export function denseParameters(inputs: number, outputs: number, bias = true): number {
  return outputs * inputs + (bias ? outputs : 0);
}

/** One layer's part of a receptive field: how much it adds, and how far apart its inputs lie in the picture. */
export interface FieldStep {
  readonly reach: number;
  /** Pixels between two neighbours that this layer reads. */
  readonly apart: number;
  /** Pixels that one value sees along an axis. */
  readonly field: number;
}

/** The receptive field behind each of these layers, along one axis. */
export function fields(slides: readonly Slide[]): FieldStep[] {
  let [apart, field] = [1, 1];
  return slides.map((slide) => {
    field += (reach(slide) - 1) * apart;
    const step = { reach: reach(slide), apart, field };
    apart *= slide.stride;
    return step;
  });
}
