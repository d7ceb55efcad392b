/** Local response normalisation: each value divided by the squares of its neighbours in the channels. */
import { power, real } from "./functions";
import type { Normalisation, Tensor } from "./operations";
import { short } from "./printing";
import { LARGEST } from "./rounding";
import { finiteSizes, summed } from "./summing";
import { gather, meshOf, numbered } from "./tensor";
import { type Working, working } from "./working";

/** One value: `x / (bias + alpha / size * sum of squares)^beta`, over `size` channels around its own. */
export function localResponse(operation: Normalisation, index: number[], source: Tensor): Working {
  const named = Object.fromEntries(operation.constants.map(([name, value]) => [name, real(value)]));
  const { size = NaN, alpha = NaN, beta = NaN, bias = NaN } = named;
  const channels = source.shape[0] as number;
  const channel = index[0] as number;
  const whole = Math.trunc(size);
  const first = Math.max(0, channel - Math.floor((whole - 1) / 2));
  const last = Math.min(channels, channel + Math.floor(whole / 2) + 1);
  const at = index.slice(1).map((place) => Int32Array.of(place));
  const axes = [numbered(last - first, first), ...at];
  const window = gather(source, axes);
  const sum = summed(window.data.map((value) => value * value));
  const base = bias + (alpha / size) * sum;
  const own = window.data[channel - first] as number;
  const total = own / power(base, beta);
  // ONNX Runtime's running sum has held the squares of all channels before
  const before = gather(source, [numbered(last), ...at]).data;
  const added = Math.abs(bias) + before.reduce((made, value) => made + Math.abs((alpha / size) * (value * value)), 0);
  const often = 1 + Math.abs(beta) * (added / Math.abs(base) + Math.abs(Math.log(Math.abs(base))));
  // what isn't finite stays in the running sum of the channels behind, and frameworks without one never have it
  const leftOver = !before.subarray(0, first).every(Number.isFinite) && !Number.isNaN(total);
  const squares = summed(finiteSizes(before).map((value) => value ** 2));
  const words = `${short(bias)} + ${short(alpha)} / ${short(size)}`;
  return working({
    rule: "normalisation",
    formula: `x / (${words} * sum of squares)^${short(beta)}`,
    window,
    places: meshOf(axes),
    steps: [
      { words: `sum of squares of ${last - first} channels`, value: sum },
      { words: `${words} x sum`, value: base },
      { words: `^ ${short(beta)}`, value: power(base, beta) },
      { words: "x / that", value: total },
    ],
    total,
    roundings: 2 * channels + 16,
    magnitude: Math.abs(total) * (Number.isFinite(often) ? often : 1),
    unsettled: leftOver || squares * 2 >= LARGEST,
  });
}
