/** The blobs of a report's file: base64 text in the document, decoded and inflated when they are asked for. */

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

export class Blobs {
  constructor(private readonly texts: Texts) {}

  /** A blob as it stands. */
  async plain(blob: number): Promise<Uint8Array<ArrayBuffer>> {
    return bytesOf(await this.texts(blob));
  }

  async inflated(blob: number): Promise<Uint8Array<ArrayBuffer>> {
    return inflated(await this.plain(blob));
  }

  async json<T>(blob: number): Promise<T> {
    return JSON.parse(new TextDecoder().decode(await this.inflated(blob))) as T;
  }
}
