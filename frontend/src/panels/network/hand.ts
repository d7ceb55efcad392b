/** What a pointer does to the graph: drags pan, the wheel and two fingers zoom around their place, a press without a drag chooses. */
export interface Acts {
  pan(dx: number, dy: number): void;
  zoomAt(x: number, y: number, factor: number): void;
  press(x: number, y: number): void;
  hover(x: number, y: number): void;
  leave(): void;
}

/** A hand that moved less than this, in pixels, meant to press. */
const STILL = 5;
/** How much a line or a page of a wheel is in pixels. */
const UNIT = [1, 16, 400] as const;

export function follow(target: HTMLElement, acts: Acts): () => void {
  const pointers = new Map<number, [number, number]>();
  let travelled = 0;
  const down = (event: PointerEvent) => {
    if (event.button !== 0) return;
    target.setPointerCapture(event.pointerId);
    pointers.set(event.pointerId, [event.offsetX, event.offsetY]);
    if (pointers.size === 1) travelled = 0;
  };
  const move = (event: PointerEvent) => {
    const before = pointers.get(event.pointerId);
    if (!before) return acts.hover(event.offsetX, event.offsetY);
    const now: [number, number] = [event.offsetX, event.offsetY];
    const [dx, dy] = [now[0] - before[0], now[1] - before[1]];
    travelled += Math.abs(dx) + Math.abs(dy);
    const other = [...pointers].find(([id]) => id !== event.pointerId)?.[1];
    if (other) {
      const spread = (at: [number, number]) => Math.max(Math.hypot(at[0] - other[0], at[1] - other[1]), 1);
      acts.zoomAt(other[0], other[1], spread(now) / spread(before));
    } else if (travelled > STILL) acts.pan(dx, dy);
    pointers.set(event.pointerId, now);
  };
  const up = (event: PointerEvent) => {
    const held = pointers.delete(event.pointerId);
    if (held && event.type === "pointerup" && travelled <= STILL && pointers.size === 0) acts.press(event.offsetX, event.offsetY);
  };
  const wheel = (event: WheelEvent) => {
    event.preventDefault();
    const amount = event.deltaY * (UNIT[event.deltaMode as 0 | 1 | 2] ?? 1);
    acts.zoomAt(event.offsetX, event.offsetY, Math.exp(-amount * (event.ctrlKey ? 0.01 : 0.0015)));
  };
  const leave = () => acts.leave();
  target.addEventListener("pointerdown", down);
  target.addEventListener("pointermove", move);
  target.addEventListener("pointerup", up);
  target.addEventListener("pointercancel", up);
  target.addEventListener("pointerleave", leave);
  target.addEventListener("wheel", wheel, { passive: false });
  return () => {
    target.removeEventListener("pointerdown", down);
    target.removeEventListener("pointermove", move);
    target.removeEventListener("pointerup", up);
    target.removeEventListener("pointercancel", up);
    target.removeEventListener("pointerleave", leave);
    target.removeEventListener("wheel", wheel);
  };
}
