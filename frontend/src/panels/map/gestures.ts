/** Wheel, drag, pinch and click on the large map, told as zooming, moving and choosing. */

export interface Gestures {
  zoom(by: number, x: number, y: number): void;
  move(across: number, down: number): void;
  choose(x: number, y: number): void;
  point(x: number, y: number): void;
  leave(): void;
}

const STILL = 4; // screen pixels that a finger may move and still have clicked

/** Listens to an element; returns how to stop. */
export function gestures(element: HTMLElement, told: Gestures): () => void {
  const down = new Map<number, { x: number; y: number }>();
  let travelled = 0;
  const at = (event: MouseEvent) => {
    const frame = element.getBoundingClientRect();
    return { x: event.clientX - frame.left, y: event.clientY - frame.top };
  };

  const wheel = (event: WheelEvent) => {
    event.preventDefault();
    const pixels = event.deltaY * (event.deltaMode === 1 ? 16 : event.deltaMode === 2 ? 400 : 1);
    const { x, y } = at(event);
    told.zoom(Math.exp(-pixels * (event.ctrlKey ? 0.01 : 0.002)), x, y);
  };
  const pressed = (event: PointerEvent) => {
    if (event.button !== 0) return;
    if (down.size === 0) travelled = 0;
    down.set(event.pointerId, at(event));
    element.setPointerCapture(event.pointerId);
  };
  const moved = (event: PointerEvent) => {
    const now = at(event);
    const before = down.get(event.pointerId);
    if (!before) return told.point(now.x, now.y);
    const other = [...down].find(([id]) => id !== event.pointerId)?.[1];
    down.set(event.pointerId, now);
    if (other) {
      const spread = (point: { x: number; y: number }) => Math.hypot(point.x - other.x, point.y - other.y);
      travelled = Infinity;
      told.zoom(spread(now) / Math.max(spread(before), 1), (now.x + other.x) / 2, (now.y + other.y) / 2);
      told.move((now.x - before.x) / 2, (now.y - before.y) / 2);
      return;
    }
    travelled += Math.hypot(now.x - before.x, now.y - before.y);
    if (travelled > STILL) told.move(now.x - before.x, now.y - before.y);
  };
  const released = (event: PointerEvent) => {
    if (!down.delete(event.pointerId) || event.type === "pointercancel") return;
    const { x, y } = at(event);
    if (down.size === 0 && travelled <= STILL) told.choose(x, y);
  };
  const left = () => {
    if (down.size === 0) told.leave();
  };

  element.addEventListener("wheel", wheel, { passive: false });
  element.addEventListener("pointerdown", pressed);
  element.addEventListener("pointermove", moved);
  element.addEventListener("pointerup", released);
  element.addEventListener("pointercancel", released);
  element.addEventListener("pointerleave", left);
  return () => {
    element.removeEventListener("wheel", wheel);
    element.removeEventListener("pointerdown", pressed);
    element.removeEventListener("pointermove", moved);
    element.removeEventListener("pointerup", released);
    element.removeEventListener("pointercancel", released);
    element.removeEventListener("pointerleave", left);
  };
}
