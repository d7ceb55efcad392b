/** Facts about every channel of a layer, and how its values spread: the twin of `convlens.lens.channels`. */
import type { ChannelsFact } from "../facts";

const BINS = 64;

/** `exact` values of each channel one after the other. Sums are in float64; the variance is that of the finite values. */
export function surveyed(layer: string, data: Float32Array, channels: number): ChannelsFact {
  const size = channels ? data.length / channels : 0;
  const fact: ChannelsFact = {
    layer,
    minimum: [],
    maximum: [],
    mean: [],
    variance: [],
    zeros: [],
    nan: [],
    infinite: [],
    constant: [],
    histogram: { edges: [], counts: [] },
  };
  for (let channel = 0; channel < channels; channel++) add(fact, data.subarray(channel * size, (channel + 1) * size));
  fact.histogram = histogram(fact, data);
  return fact;
}

function add(fact: ChannelsFact, values: Float32Array): void {
  let least = Infinity;
  let greatest = -Infinity;
  let zeros = 0;
  let nan = 0;
  let infinite = 0;
  let sum = 0;
  for (let n = 0; n < values.length; n++) {
    const value = values[n] as number;
    if (value - value !== 0) {
      if (value !== value) nan++;
      else infinite++;
      continue;
    }
    if (value < least) least = value;
    if (value > greatest) greatest = value;
    if (value === 0) zeros++;
    sum += value;
  }
  const count = values.length - nan - infinite;
  const mean = sum / count;
  let squares = 0;
  for (let n = 0; n < values.length; n++) {
    const value = values[n] as number;
    if (value - value === 0) squares += (value - mean) * (value - mean);
  }
  fact.minimum.push(count ? least : null);
  fact.maximum.push(count ? greatest : null);
  fact.mean.push(count ? mean : null);
  fact.variance.push(count ? squares / count : null);
  fact.zeros.push(values.length ? zeros / values.length : 0);
  fact.nan.push(nan);
  fact.infinite.push(infinite);
  fact.constant.push(count > 0 && nan + infinite === 0 && least === greatest);
}

/** How many finite values lie between any two of BINS + 1 edges; one bin where all are the same. */
function histogram(fact: ChannelsFact, data: Float32Array): ChannelsFact["histogram"] {
  const low = fact.minimum.reduce<number>((best, value) => (value !== null && value < best ? value : best), Infinity);
  const high = fact.maximum.reduce<number>((best, value) => (value !== null && value > best ? value : best), -Infinity);
  if (low > high) return { edges: [0, 0], counts: [0] };
  const odd = fact.nan.reduce((sum, n) => sum + n, 0) + fact.infinite.reduce((sum, n) => sum + n, 0);
  if (low === high) return { edges: [low, high], counts: [data.length - odd] };
  const step = (high - low) / BINS;
  const edges = Array.from({ length: BINS + 1 }, (_, n) => (n === BINS ? high : low + n * step));
  const counts = new Array<number>(BINS).fill(0);
  const factor = BINS / (high - low);
  for (let n = 0; n < data.length; n++) {
    const value = data[n] as number;
    if (value - value !== 0) continue;
    const bin = Math.min(Math.trunc((value - low) * factor), BINS - 1);
    counts[bin] = (counts[bin] as number) + 1;
  }
  return { edges, counts };
}
