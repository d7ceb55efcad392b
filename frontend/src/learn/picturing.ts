/** The stage of a lesson as pictures, one a window: a second stage out of sight walks through them and is painted as it looks. */
import { flushSync, mount, unmount } from "svelte";
import { closing, frameOf, opening, type Frame } from "./gif";
import { Lesson } from "./lesson.svelte";
import Stage from "./Stage.svelte";

/** Hundredths of a second for each window. */
export const PACE = 70;
const MARGIN = 16;
/** Pixels of the picture for each of the page's, so that it stays sharp on a slide. */
const SHARPNESS = 2;

interface Area {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
}

/** The lesson's walk through all its windows, as wide as its stage stands in the page; the lesson itself stays as it is. */
export async function animationOf(lesson: Lesson, wide: number): Promise<Blob> {
  const walker = new Lesson(lesson.name);
  Object.assign(walker, { settings: lesson.settings, numbers: lesson.numbers, revealed: lesson.revealed });
  const room = document.createElement("div");
  room.inert = true;
  Object.assign(room.style, { position: "fixed", top: "0", left: `${-2 * wide - 1000}px`, width: `${wide}px`, visibility: "visible" });
  document.body.append(room);
  const stage = mount(Stage, { target: room, props: { lesson: walker } });
  try {
    const steps = Array.from({ length: walker.count }, (_, step) => step);
    const areas = steps.map((step) => (show(walker, room, step), areaOf(room)));
    const area = { ...(areas[0] as Area), width: Math.max(...areas.map(({ width }) => width)), height: Math.max(...areas.map(({ height }) => height)) };
    const parts: Uint8Array<ArrayBuffer>[] = [];
    for (const step of steps) {
      await new Promise((go) => setTimeout(go)); // the page has its turn between two frames
      show(walker, room, step);
      const frame = painted(room, area);
      if (parts.length === 0) parts.push(opening(frame.width, frame.height));
      parts.push(frameOf(frame, PACE));
    }
    return new Blob([...parts, closing()], { type: "image/gif" });
  } finally {
    await unmount(stage);
    room.remove();
  }
}

function show(walker: Lesson, room: HTMLElement, step: number): void {
  walker.goTo(step);
  flushSync();
  for (const moving of room.getAnimations({ subtree: true })) moving.finish();
}

function areaOf(room: HTMLElement): Area {
  const boxes = [...room.querySelectorAll("figure, figcaption")].map((part) => part.getBoundingClientRect());
  const [left, top] = [Math.min(...boxes.map((box) => box.left)), Math.min(...boxes.map((box) => box.top))];
  return { left, top, width: Math.max(...boxes.map((box) => box.right)) - left, height: Math.max(...boxes.map((box) => box.bottom)) - top };
}

function painted(room: HTMLElement, { left, top, width, height }: Area): Frame {
  const canvas = document.createElement("canvas");
  canvas.width = Math.ceil((width + 2 * MARGIN) * SHARPNESS);
  canvas.height = Math.ceil((height + 2 * MARGIN) * SHARPNESS);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  if (!context) throw new Error("no canvas");
  context.fillStyle = getComputedStyle(room).getPropertyValue("--panel");
  context.fillRect(0, 0, canvas.width, canvas.height);
  const page = new DOMMatrix().scale(SHARPNESS).translate(MARGIN - left, MARGIN - top);
  for (const words of room.querySelectorAll<HTMLElement>("figcaption, .sign")) writeWords(context, words, page);
  for (const svg of room.querySelectorAll("svg")) paintDrawing(context, svg, page);
  const { data } = context.getImageData(0, 0, canvas.width, canvas.height);
  return { width: canvas.width, height: canvas.height, pixels: data };
}

function fontOf({ fontStyle, fontWeight, fontSize, fontFamily }: CSSStyleDeclaration): string {
  return `${fontStyle} ${fontWeight} ${fontSize} ${fontFamily}`;
}

function writeWords(context: CanvasRenderingContext2D, words: HTMLElement, page: DOMMatrix): void {
  const style = getComputedStyle(words);
  if (style.opacity === "0") return;
  const range = document.createRange();
  range.selectNodeContents(words);
  const box = range.getBoundingClientRect();
  context.setTransform(page);
  context.font = fontOf(style);
  context.fillStyle = style.color;
  context.textAlign = "left";
  context.textBaseline = "alphabetic";
  const text = words.textContent;
  const { fontBoundingBoxAscent: above, fontBoundingBoxDescent: below } = context.measureText(text);
  context.fillText(text, box.left, box.top + (box.height + above - below) / 2);
}

function paintDrawing(context: CanvasRenderingContext2D, svg: SVGSVGElement, page: DOMMatrix): void {
  const box = svg.getBoundingClientRect();
  const drawing = page.translate(box.left, box.top).scale(box.width / svg.viewBox.baseVal.width, box.height / svg.viewBox.baseVal.height);
  for (const part of svg.querySelectorAll("rect, text")) {
    const style = getComputedStyle(part);
    const group = part.closest("g");
    const moved = [group, part].map((one) => (one ? getComputedStyle(one).transform : "none")).filter((one) => one !== "none");
    context.setTransform(moved.reduce((matrix, one) => matrix.multiply(new DOMMatrix(one)), drawing));
    if (part instanceof SVGRectElement) paintCell(context, part, style);
    else writeNumber(context, part, style);
  }
}

function paintCell(context: CanvasRenderingContext2D, { x, y, width, height, rx }: SVGRectElement, style: CSSStyleDeclaration): void {
  const [left, top, wide, high, round] = [x, y, width, height, rx].map(({ baseVal }) => baseVal.value) as [number, number, number, number, number];
  context.beginPath();
  context.roundRect(left, top, wide, high, round);
  if (style.fill !== "none") {
    context.fillStyle = style.fill;
    context.fill();
  }
  if (style.stroke === "none") return;
  context.strokeStyle = style.stroke;
  context.lineWidth = parseFloat(style.strokeWidth);
  context.setLineDash(style.strokeDasharray === "none" ? [] : style.strokeDasharray.split(/[\s,]+/).map(parseFloat));
  context.stroke();
}

function writeNumber(context: CanvasRenderingContext2D, text: Element, style: CSSStyleDeclaration): void {
  context.font = fontOf(style);
  context.fillStyle = style.fill;
  context.textAlign = "center";
  context.textBaseline = "alphabetic";
  context.fillText(text.textContent, Number(text.getAttribute("x")), Number(text.getAttribute("y")));
}
