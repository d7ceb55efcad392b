/** As much of Protocol Buffers' wire format as an ONNX model needs. https://protobuf.dev/programming-guides/encoding/ */

const VARINT = 0;
const BYTES = 2;
const FIXED32 = 5;
const text = new TextEncoder();

/** One message: its fields in the order in which they are written. */
export class Message {
  readonly #parts: Uint8Array[] = [];

  whole(field: number, value: number): this {
    this.#parts.push(varint(field * 8 + VARINT), varint(value));
    return this;
  }

  float(field: number, value: number): this {
    const bytes = new Uint8Array(4);
    new DataView(bytes.buffer).setFloat32(0, value, true);
    this.#parts.push(varint(field * 8 + FIXED32), bytes);
    return this;
  }

  words(field: number, value: string): this {
    return this.bytes(field, text.encode(value));
  }

  bytes(field: number, value: Uint8Array): this {
    this.#parts.push(varint(field * 8 + BYTES), varint(value.length), value);
    return this;
  }

  message(field: number, value: Message): this {
    return this.bytes(field, value.done());
  }

  done(): Uint8Array {
    const all = new Uint8Array(this.#parts.reduce((sum, part) => sum + part.length, 0));
    let at = 0;
    for (const part of this.#parts) {
      all.set(part, at);
      at += part.length;
    }
    return all;
  }
}

/** A whole number of 0 or more, seven bits a byte, the lowest first. */
function varint(value: number): Uint8Array {
  const bytes: number[] = [];
  let rest = value;
  do {
    const low = rest % 128;
    rest = Math.floor(rest / 128);
    bytes.push(rest > 0 ? low + 128 : low);
  } while (rest > 0);
  return Uint8Array.from(bytes);
}
