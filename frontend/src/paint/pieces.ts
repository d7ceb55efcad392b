/**
 * The values that were loaded, and how they were painted: whole maps at a level of detail, and tiles of large ones.
 *
 * One store a source, shared by the grid and the large map, bounded in bytes. Whole maps come several at a time and
 * are kept and painted as they came.
 */
import type { MapFact } from "../source/facts";
import { type Source, TILE, type TilePlace, type Values } from "../source/source";
import { Kept } from "./kept";
import { onRepaint, painter, type Sheet } from "./painter";
import type { Scale } from "./scale";

export const LIMIT = 64 << 20;

/** Maps of one size, one after another, with what was painted of them last. */
export interface Piece {
  readonly values: Float32Array;
  readonly channels: readonly number[];
  readonly rows: number;
  readonly columns: number;
  readonly exact: boolean;
  sheet: Sheet | null;
  /** The scales that the sheet was painted with. */
  colours: string;
}

/** Where one map lies in a piece. */
export interface Part {
  piece: Piece;
  n: number;
}

/** Which whole map: of which run, layer and slice, at which level. */
export interface Which {
  run: string;
  layer: string;
  level: number;
  slice: number;
}

/** A value that was read; `near` where its source had to reduce it. */
export interface Read {
  value: number;
  near: boolean;
}

export class Pieces {
  #kept: Kept<Piece>;
  /** Which map is in which piece; a map of a piece that was dropped is forgotten with it. */
  #wholes = new Map<string, { key: string; n: number; standsIn: boolean }>();
  #batch = 0;

  constructor(
    private readonly source: Source,
    limit = LIMIT,
  ) {
    this.#kept = new Kept<Piece>(limit, (key, piece) => {
      free(piece);
      if (!key.startsWith("maps ")) return;
      for (const [map, at] of this.#wholes) if (at.key === key) this.#wholes.delete(map);
    });
    onRepaint(() => this.#kept.each(free));
  }

  get bytes(): number {
    return this.#kept.bytes;
  }

  whole(which: Which, channel: number): Part | undefined {
    const at = this.#wholes.get(wholeKey(which, channel));
    const piece = at && this.#kept.get(at.key);
    return at && piece ? { piece, n: at.n } : undefined;
  }

  /** Whether a map is here, and not only what stands in for it. */
  hasWhole(which: Which, channel: number): boolean {
    return this.#wholes.get(wholeKey(which, channel))?.standsIn === false;
  }

  async loadWholes(which: Which, channels: number[], signal: AbortSignal): Promise<void> {
    const { run, layer, level, slice } = which;
    const soon = !channels.some((channel) => this.#wholes.has(wholeKey(which, channel)));
    const values = await this.source.maps(run, layer, level, channels, slice, signal, soon);
    if (signal.aborted) return;
    const key = `maps ${++this.#batch}`;
    const piece = pieceOf(values, channels);
    const { standsIn = false } = values;
    channels.forEach((channel, n) => this.#wholes.set(wholeKey(which, channel), { key, n, standsIn }));
    this.#kept.set(key, piece, bytesOf(piece));
  }

  tile(run: string, place: TilePlace): Piece | undefined {
    return this.#kept.get(tileKey(run, place));
  }

  hasTile(run: string, place: TilePlace): boolean {
    return this.#kept.has(tileKey(run, place));
  }

  async loadTile(run: string, place: TilePlace, signal?: AbortSignal): Promise<Piece> {
    const values = await this.source.tile(run, place, signal);
    const piece = pieceOf(values, [place.channel]);
    if (!signal?.aborted) this.#kept.set(tileKey(run, place), piece, bytesOf(piece));
    return piece;
  }

  /** Loads of one run what is loaded of another of the same layers, so that it can take its place at once. */
  async like(from: string, to: string, layer: string, signal = new AbortController().signal): Promise<void> {
    const wholes = new Map<string, [Which, number[]]>();
    for (const key of this.#wholes.keys()) {
      if (!key.startsWith(`${from} ${layer} `)) continue;
      const [level = 0, slice = 0, channel = 0] = key.split(" ").slice(-3).map(Number);
      const which = { run: to, layer, level, slice };
      const [, channels] = wholes.get(`${level} ${slice}`) ?? [which, []];
      if (!this.hasWhole(which, channel)) channels.push(channel);
      wholes.set(`${level} ${slice}`, [which, channels]);
    }
    const loading = [...wholes.values()].flatMap(([which, channels]) => (channels.length > 0 ? [this.loadWholes(which, channels, signal)] : []));
    const tiles = this.#kept.keys().filter((key) => key.startsWith(`tile ${from} ${layer} `));
    for (const key of tiles) {
      const [level = 0, slice = 0, channel = 0, row = 0, column = 0] = key.split(" ").slice(-5).map(Number);
      const place = { layer, level, channel, slice, row, column };
      if (!this.hasTile(to, place)) loading.push(this.loadTile(to, place, signal).then(() => undefined));
    }
    await Promise.all(loading);
  }

  /** The value at a pixel, where it is loaded at the finest level: the framework's own, unless it is said to be `near`. */
  value(run: string, map: MapFact, at: { channel: number; slice: number; row: number; column: number }): Read | undefined {
    const { channel, slice, row, column } = at;
    const which = { run, layer: map.layer, level: 0, slice };
    const part = this.hasWhole(which, channel) ? this.whole(which, channel) : undefined;
    if (part) {
      const { rows, columns, values, exact } = part.piece;
      return read(values[(part.n * rows + row) * columns + column], exact);
    }
    const tile = this.tile(run, tileOf(map.layer, at));
    return tile && read(tile.values[(row % TILE) * tile.columns + (column % TILE)], tile.exact);
  }
}

function read(value: number | undefined, exact: boolean): Read | undefined {
  return value === undefined ? undefined : { value, near: !exact };
}

/** The tile of the finest level that holds a pixel. */
export function tileOf(layer: string, at: { channel: number; slice: number; row: number; column: number }): TilePlace {
  const { channel, slice } = at;
  return { layer, level: 0, channel, slice, row: Math.floor(at.row / TILE), column: Math.floor(at.column / TILE) };
}

const stores = new WeakMap<Source, Pieces>();

export function piecesOf(source: Source): Pieces {
  let pieces = stores.get(source);
  if (!pieces) stores.set(source, (pieces = new Pieces(source)));
  return pieces;
}

/** The piece in colours, each channel on its scale; painted again only when the scales have changed. */
export function sheetOf(piece: Piece, scaleOf: (channel: number) => Scale): Sheet {
  const scales = piece.channels.map(scaleOf);
  const colours = scales.map((scale) => `${scale.minimum} ${scale.maximum} ${scale.diverging}`).join();
  if (!piece.sheet || piece.colours !== colours) {
    free(piece);
    piece.sheet = painter().paint(piece.values, piece.rows, piece.columns, scales);
    piece.colours = colours;
  }
  return piece.sheet;
}

function free(piece: Piece): void {
  piece.sheet = null;
}

function pieceOf(values: Values, channels: readonly number[]): Piece {
  const [rows = 1, columns = 1] = values.shape.slice(-2);
  return { values: values.data, channels, rows, columns, exact: values.exact, sheet: null, colours: "" };
}

/** The values, and four bytes a pixel once they are painted. */
function bytesOf(piece: Piece): number {
  return piece.values.length * 8;
}

function wholeKey(which: Which, channel: number): string {
  return `${which.run} ${which.layer} ${which.level} ${which.slice} ${channel}`;
}

function tileKey(run: string, place: TilePlace): string {
  const { layer, level, channel, slice, row, column } = place;
  return `tile ${run} ${layer} ${level} ${slice} ${channel} ${row} ${column}`;
}
