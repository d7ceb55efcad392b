/** Which part of a map is seen, and how large: zooming and moving as plain arithmetic. */

export interface Camera {
  /** Screen pixels a value across. */
  zoom: number;
  /** The column and row at the top left corner of the window. */
  x: number;
  y: number;
}

export interface Window {
  width: number;
  height: number;
}

export interface Size {
  rows: number;
  columns: number;
}

export const CLOSEST = 120; // screen pixels a value
const MARGIN = 8;

/** How much taller than wide a value is drawn: sequences would be a line otherwise. */
export function tallness({ rows, columns }: Size): number {
  return Math.max(1, columns / (8 * rows));
}

/** The zoom at which the whole map is seen. */
export function fitting(size: Size, window: Window): number {
  const across = Math.max(window.width - 2 * MARGIN, 1) / size.columns;
  const down = Math.max(window.height - 2 * MARGIN, 1) / (size.rows * tallness(size));
  return Math.min(across, down);
}

export function fitted(size: Size, window: Window): Camera {
  return inside({ zoom: fitting(size, window), x: 0, y: 0 }, size, window);
}

/** Zooms so that the value under a point of the window stays under it. */
export function zoomed(camera: Camera, by: number, x: number, y: number, size: Size, window: Window): Camera {
  const least = fitting(size, window);
  const zoom = Math.min(Math.max(camera.zoom * by, least), Math.max(CLOSEST, least));
  const shift = 1 / camera.zoom - 1 / zoom;
  return inside({ zoom, x: camera.x + x * shift, y: camera.y + (y * shift) / tallness(size) }, size, window);
}

/** Moves by so many screen pixels. */
export function moved(camera: Camera, across: number, down: number, size: Size, window: Window): Camera {
  const { zoom, x, y } = camera;
  return inside({ zoom, x: x - across / zoom, y: y - down / (zoom * tallness(size)) }, size, window);
}

/** Moves as little as needed to see a pixel with something around it. */
export function showing(camera: Camera, row: number, column: number, size: Size, window: Window): Camera {
  const wide = window.width / camera.zoom;
  const high = window.height / (camera.zoom * tallness(size));
  const near = (from: number, length: number, at: number) => {
    const room = Math.min(1.5, (length - 1) / 2);
    return Math.min(Math.max(from, at + 1 + room - length), at - room);
  };
  return inside({ zoom: camera.zoom, x: near(camera.x, wide, column), y: near(camera.y, high, row) }, size, window);
}

/** The pixel under a point of the window; null beside the map. */
export function pixelAt(camera: Camera, x: number, y: number, size: Size): { row: number; column: number } | null {
  const column = Math.floor(camera.x + x / camera.zoom);
  const row = Math.floor(camera.y + y / (camera.zoom * tallness(size)));
  return row >= 0 && row < size.rows && column >= 0 && column < size.columns ? { row, column } : null;
}

/** Holds the map in the window: centred where it is smaller, without a gap where it is larger. */
export function inside(camera: Camera, size: Size, window: Window): Camera {
  const hold = (at: number, seen: number, whole: number, margin: number) =>
    seen >= whole ? (whole - seen) / 2 : Math.min(Math.max(at, -margin), whole - seen + margin);
  const down = camera.zoom * tallness(size);
  return {
    zoom: camera.zoom,
    x: hold(camera.x, window.width / camera.zoom, size.columns, MARGIN / camera.zoom),
    y: hold(camera.y, window.height / down, size.rows, MARGIN / down),
  };
}
