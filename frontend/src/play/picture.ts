/** Pictures as numbers: channels, rows, columns, 0 to 255. */
import { readPng, type Pixels } from "../source/embedded/png";
import type { Sheet } from "./orders";

const LONGEST = 1440; // a larger picture is scaled down, so that maps follow a slider

/** The picture at an address of the page's own, or in the address itself. */
export async function pictureAt(address: string): Promise<Sheet> {
  try {
    return sheetOf(await readPng(await bytesOf(address)));
  } catch {
    const image = new Image();
    image.src = address;
    await image.decode();
    return drawn(image, image.naturalHeight, image.naturalWidth);
  }
}

/** A picture that a person opened. */
export async function pictureIn(file: Blob): Promise<Sheet> {
  const image = await createImageBitmap(file);
  try {
    return drawn(image, image.height, image.width);
  } finally {
    image.close();
  }
}

/** What is drawn now by an image, a bitmap or a video. */
export function drawn(image: CanvasImageSource, high: number, wide: number, longest = LONGEST): Sheet {
  const share = Math.min(1, longest / Math.max(high, wide));
  const [rows, columns] = [Math.max(1, Math.round(high * share)), Math.max(1, Math.round(wide * share))];
  const canvas = new OffscreenCanvas(columns, rows);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  if (!context) throw new Error("This browser gives no canvas");
  context.drawImage(image, 0, 0, columns, rows);
  const { data } = context.getImageData(0, 0, columns, rows);
  const sheet = sheetOf({ rows, columns, channels: 4, data: new Uint8Array(data.buffer) });
  return share < 1 ? { ...sheet, from: [high, wide] } : sheet;
}

/** Planes of red, green and blue; a grey picture has the same three times. */
export function sheetOf({ rows, columns, channels, data }: Pixels): Sheet {
  const size = rows * columns;
  const values = new Float32Array(3 * size);
  for (let channel = 0; channel < 3; channel++) {
    const from = channels < 3 ? 0 : channel;
    for (let n = 0; n < size; n++) values[channel * size + n] = data[n * channels + from] as number;
  }
  return { shape: [3, rows, columns], data: values };
}

/** Paints a sheet; small, for a thumbnail. */
export function painted(sheet: Sheet, longest: number): ImageData {
  const [channels = 3, rows = 1, columns = 1] = sheet.shape;
  const white = channels === 1 ? 1 : 255;
  const step = Math.max(1, Math.ceil(Math.max(rows, columns) / longest));
  const [high, wide] = [Math.floor((rows - 1) / step) + 1, Math.floor((columns - 1) / step) + 1];
  const image = new ImageData(wide, high);
  for (let row = 0; row < high; row++) {
    for (let column = 0; column < wide; column++) {
      const to = (row * wide + column) * 4;
      for (let channel = 0; channel < 3; channel++) image.data[to + channel] = (255 / white) * (sheet.data[((channel % channels) * rows + row * step) * columns + column * step] as number);
      image.data[to + 3] = 255;
    }
  }
  return image;
}

async function bytesOf(address: string): Promise<Uint8Array> {
  const inside = /^data:[^,]*;base64,(.*)$/s.exec(address)?.[1];
  if (inside !== undefined) return Uint8Array.from(atob(inside), (letter) => letter.charCodeAt(0));
  const answer = await fetch(address);
  if (!answer.ok) throw new Error(`${answer.status}`);
  return new Uint8Array(await answer.arrayBuffer());
}
