/** The eight models of the tutorial as they begin here: the same sketch and seed make the same weights. The twin of `convlens.sketches.tutorial`. */
import type { Setup } from "./address";
import { SEED, SKETCH, TRAINED, UNTRAINED } from "./digits";

export interface Preset {
  readonly sketch: string;
  readonly seed: number;
  readonly en: string;
  readonly th: string;
}

export const PRESETS: readonly Preset[] = [
  { sketch: "conv 3 3x3", seed: 0, en: "Three filters of 3x3", th: "ฟิลเตอร์ 3x3 สามตัว" },
  { sketch: "conv 3 10x10", seed: 0, en: "Larger kernels: 10x10", th: "เคอร์เนลใหญ่ขึ้น: 10x10" },
  { sketch: "conv 1 3x3", seed: 0, en: "One filter of 3x3", th: "ฟิลเตอร์ 3x3 ตัวเดียว" },
  { sketch: "conv 1 20x20", seed: 8, en: "One filter of 20x20", th: "ฟิลเตอร์ 20x20 ตัวเดียว" },
  { sketch: "conv 1 20x20 | relu", seed: 8, en: "An activation: ReLU", th: "แอกทิเวชัน: ReLU" },
  { sketch: "conv 1 3x3 | maxpool 5x5", seed: 0, en: "Pooling: the largest of 5x5", th: "พูลลิง: ค่าที่มากที่สุดใน 5x5" },
  { sketch: "conv 1 3x3 | relu | maxpool 5x5", seed: 0, en: "Convolution, ReLU, pooling", th: "คอนโวลูชัน ReLU และพูลลิง" },
  { sketch: "conv 1 3x3 | relu | maxpool 5x5 | conv 1 3x3 | relu | maxpool 5x5", seed: 0, en: "The same three steps, twice", th: "สามขั้นตอนเดิม ทำสองรอบ" },
];

/** A network before and after its training, side by side. */
export const DIGITS: readonly Setup[] = [UNTRAINED, TRAINED].map((step) => ({ text: SKETCH, seed: SEED, edits: [], chosen: 0, step }));
