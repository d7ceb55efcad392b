/** The blobs of a report's file: base64 text in the document, decoded, checked and inflated when they are asked for. */
import { crcOfBytes } from "./crc";
import { NotHeld } from "./reason";

/** The text of a blob, wherever it lies: in the document, or one message away from it. */
export type Texts = (blob: number) => string | Promise<string>;

interface Base64Reader {
  fromBase64?: (text: string) => Uint8Array<ArrayBuffer>;
}

/** The bytes that a base64 text stands for. */
export function bytesOf(text: string): Uint8Array<ArrayBuffer> {
  const native = (Uint8Array as Base64Reader).fromBase64;
  if (native) return native.call(Uint8Array, text);
  const binary = atob(text);
  const bytes = new Uint8Array(binary.length);
  for (let n = 0; n < binary.length; n++) bytes[n] = binary.charCodeAt(n);
  return bytes;
}

/** Undoes zlib's deflate. Raises where the bytes are none, or break off. */
export async function inflated(bytes: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer>> {
  const stream = new Response(bytes).body as ReadableStream<BufferSource>;
  return new Uint8Array(await new Response(stream.pipeThrough(new DecompressionStream("deflate"))).arrayBuffer());
}

/** The bytes of a blob; null where they aren't those that were written. A file of an older version has no checksums. */
export function checked(text: string, checksum: number | undefined): Uint8Array<ArrayBuffer> | null {
  try {
    const bytes = bytesOf(text);
    return checksum === undefined || crcOfBytes(bytes) === checksum ? bytes : null;
  } catch {
    return null; // no base64
  }
}

export class Blobs {
  constructor(
    private readonly texts: Texts,
    private readonly checksums: readonly number[] = [],
  ) {}

  /** A blob as it stands. Raises {@link NotHeld} where it isn't what was written. */
  async plain(blob: number): Promise<Uint8Array<ArrayBuffer>> {
    const bytes = checked(await this.texts(blob), this.checksums[blob]);
    if (!bytes) throw new NotHeld({ damaged: blob });
    return bytes;
  }

  async inflated(blob: number): Promise<Uint8Array<ArrayBuffer>> {
    return inflated(await this.plain(blob));
  }

  async json<T>(blob: number): Promise<T> {
    return JSON.parse(new TextDecoder().decode(await this.inflated(blob))) as T;
  }
}
