/** How much each pixel moves the chosen value: measured on demand, for one value at a time. */
import { COLOURS, palette } from "../../paint/colours";
import type { EffectiveFact } from "../../source/facts";
import { Latest } from "../../state/latest";
import { Problem, type Source, type Values } from "../../source/source";

export class Effective {
  wanted = $state(false);
  working = $state(false);
  fact = $state.raw<EffectiveFact | null>(null);
  values = $state.raw<Values | null>(null);
  refused = $state("");
  readonly #measuring = new Latest();
  #key = "";

  constructor(private readonly source: Source) {}

  toggle(): void {
    this.wanted = !this.wanted;
  }

  /** Measures the value that is chosen now, if it is wanted; what was being measured before is given up. */
  follow(run: string | null, layer: string | null, index: number[] | null): void {
    const key = this.wanted && run !== null && layer !== null && index ? `${run} ${layer} ${index.join(",")}` : "";
    if (key === this.#key) return;
    this.#key = key;
    this.#measuring.drop();
    this.fact = null;
    this.values = null;
    this.refused = "";
    this.working = key !== "";
    if (key === "" || run === null || layer === null || !index) return;
    void this.#measuring.ask(
      (signal) => this.source.effective(run, layer, index, signal),
      ([fact, values]) => {
        this.fact = fact;
        this.values = values;
        this.working = false;
      },
      (error) => {
        this.refused = error instanceof Problem ? error.fact.problem : String(error);
        this.working = false;
      },
    );
  }
}

export function largest(values: Values): number {
  return values.data.reduce((most, value) => (value > most ? value : most), 0);
}

/** The heat as translucent colours, RGBA; both colour and opacity grow with the square root of the share of the largest. */
export function heatPixels(values: Values): Uint8ClampedArray<ArrayBuffer> {
  const most = largest(values);
  const colours = palette(false);
  const pixels = new Uint8ClampedArray(values.data.length * 4);
  for (let n = 0; n < values.data.length; n++) {
    const share = most > 0 ? Math.sqrt(Math.max(values.data[n] ?? 0, 0) / most) : 0;
    const colour = Math.round((share || 0) * (COLOURS - 1)) * 3;
    pixels.set(colours.subarray(colour, colour + 3), n * 4);
    pixels[n * 4 + 3] = share > 0 ? 70 + Math.round(165 * share) : 0;
  }
  return pixels;
}
