/** Which part of the graph is in sight, and how near: pans, zooms, and glides to what is asked for. */
import type { Arrangement } from "../../layout/arrange";
import type { Graph } from "../../layout/graph";
import { HEIGHT, WIDTH } from "../../layout/measures";
import type { Camera } from "./paint";

const LEAST = 0.02;
const MOST = 3;
/** No first view is smaller than this: its words can still be read. */
const READABLE = 0.8;
const MARGIN = 16;
const GLIDE = 180;

export interface Laid {
  graph: Graph;
  at: Arrangement;
}

export class Sight {
  camera = $state.raw<Camera>({ x: 0, y: 0, zoom: 1 });
  size = $state.raw({ width: 0, height: 0 });
  laid = $state.raw<Laid | null>(null);
  #frame = 0;
  /** Whether the person or `home` has placed the camera in this arrangement. */
  #placed = false;

  place(id: string | null): [number, number] | null {
    const n = this.laid?.graph.nodes.findIndex((node) => node.id === id) ?? -1;
    return this.laid?.at.nodes[n] ?? null;
  }

  /** The first view of a network: as wide as the panel, from its top, with the chosen layer in sight. */
  home(chosen: string | null): void {
    const { laid, size } = this;
    if (!laid || size.width === 0) return;
    const zoom = Math.min(Math.max((size.width - 2 * MARGIN) / laid.at.width, READABLE), 1);
    const place = this.place(chosen);
    const middle = laid.at.width * zoom > size.width && place ? place[0] : laid.at.width / 2;
    const low = place ? place[1] * zoom + HEIGHT + MARGIN : 0;
    const y = low < size.height ? MARGIN : size.height / 2 - (place?.[1] ?? 0) * zoom;
    this.#jump({ zoom, x: size.width / 2 - middle * zoom, y });
    this.#placed = true;
  }

  /** Another network: the next arrangement begins at home. */
  forget(): void {
    this.#placed = false;
  }

  /** Brings a node into sight, by the shortest glide that shows it whole. */
  show(id: string | null): void {
    if (!this.#placed) return this.home(id);
    const place = this.place(id);
    const { camera, size } = this;
    if (!place || size.width === 0) return;
    const { zoom } = camera;
    const [x, y] = [place[0] * zoom + camera.x, place[1] * zoom + camera.y];
    const [w, h] = [(WIDTH / 2) * zoom + 8, (HEIGHT / 2) * zoom + 8];
    const across = 2 * w > size.width ? size.width / 2 - x : Math.max(w - x, 0) + Math.min(size.width - w - x, 0);
    const far = y < h || y > size.height - h;
    const down = far ? size.height / 2 - y : 0;
    if (across || down) this.#glide({ zoom, x: camera.x + across, y: camera.y + down });
  }

  /** Puts a node's upper edge as high as a point of the panel, so that what was pressed stays under the hand, but never half out of sight. */
  pin(id: string | null, [x, y]: [number, number]): void {
    const place = this.place(id);
    const { camera, laid, size } = this;
    if (!place || !laid) return;
    const { zoom } = camera;
    const half = (WIDTH / 2) * zoom + MARGIN;
    const narrow = laid.at.width * zoom <= size.width;
    const left = narrow ? (size.width - laid.at.width * zoom) / 2 : Math.max(half, Math.min(x, size.width - half)) - place[0] * zoom;
    this.#jump({ zoom, x: left, y: y - (place[1] - HEIGHT / 2) * zoom });
  }

  pan(dx: number, dy: number): void {
    const { x, y, zoom } = this.camera;
    this.#jump({ zoom, x: x + dx, y: y + dy });
  }

  zoomAt(x: number, y: number, factor: number): void {
    const zoom = Math.min(Math.max(this.camera.zoom * factor, LEAST), MOST);
    const share = zoom / this.camera.zoom;
    this.#jump({ zoom, x: x - (x - this.camera.x) * share, y: y - (y - this.camera.y) * share });
  }

  zoom(factor: number): void {
    this.zoomAt(this.size.width / 2, this.size.height / 2, factor);
  }

  fit(): void {
    const { laid, size } = this;
    if (!laid) return;
    const zoom = Math.min((size.width - 2 * MARGIN) / laid.at.width, (size.height - 2 * MARGIN) / laid.at.height, 1);
    this.#glide({ zoom, x: (size.width - laid.at.width * zoom) / 2, y: (size.height - laid.at.height * zoom) / 2 });
  }

  /** The place in the graph that is under a point of the panel. */
  under(x: number, y: number): [number, number] {
    const { camera } = this;
    return [(x - camera.x) / camera.zoom, (y - camera.y) / camera.zoom];
  }

  stop(): void {
    cancelAnimationFrame(this.#frame);
  }

  #jump(camera: Camera): void {
    this.stop();
    this.camera = camera;
  }

  #glide(to: Camera): void {
    this.stop();
    if (matchMedia("(prefers-reduced-motion: reduce)").matches) return this.#jump(to);
    const from = this.camera;
    const began = performance.now();
    const step = (now: number) => {
      const part = Math.min(Math.max((now - began) / GLIDE, 0), 1);
      const share = 1 - (1 - part) ** 3;
      const mix = (a: number, b: number) => a + (b - a) * share;
      this.camera = { zoom: mix(from.zoom, to.zoom), x: mix(from.x, to.x), y: mix(from.y, to.y) };
      if (part < 1) this.#frame = requestAnimationFrame(step);
    };
    this.#frame = requestAnimationFrame(step);
  }
}
