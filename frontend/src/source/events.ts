/** Reads Server-Sent Events from a response: https://html.spec.whatwg.org/multipage/server-sent-events.html */
export interface ServerEvent {
  name: string;
  data: string;
}

/** The events as they come, until the stream ends. Unlike `EventSource` it can be aborted and tells the status. */
export async function* eventsOf(body: ReadableStream<Uint8Array>): AsyncGenerator<ServerEvent> {
  const reader = body.getReader();
  const decoder = new TextDecoder(); // leaves out a byte order mark at the beginning
  const lines = new Lines();
  const event = new Assembly();
  try {
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return; // an event that no blank line has ended is none
      for (const line of lines.add(decoder.decode(value, { stream: true }))) {
        const ended = event.add(line);
        if (ended) yield ended;
      }
    }
  } finally {
    await reader.cancel().catch(() => undefined);
  }
}

/** Cuts text at CR, LF and CRLF, wherever the pieces that it comes in end. */
class Lines {
  #pieces: string[] = []; // of the line that has no end yet
  #afterReturn = false; // an LF that comes now belongs to the CR before it

  *add(text: string): Generator<string> {
    let from = this.#afterReturn && text.startsWith("\n") ? 1 : 0;
    if (text !== "") this.#afterReturn = text.endsWith("\r");
    for (const end of text.matchAll(/\r\n|\r|\n/g)) {
      if (end.index < from) continue;
      this.#pieces.push(text.slice(from, end.index));
      from = end.index + end[0].length;
      const line = this.#pieces.join("");
      this.#pieces = [];
      yield line;
    }
    this.#pieces.push(text.slice(from));
  }
}

/** Puts the lines of one event together. */
class Assembly {
  #name = "";
  #data: string[] = [];

  /** The event that a blank line ends; `null` while it goes on, or where it says nothing. */
  add(line: string): ServerEvent | null {
    if (line === "") {
      const ended = this.#data.length ? { name: this.#name || "message", data: this.#data.join("\n") } : null;
      this.#name = "";
      this.#data = [];
      return ended;
    }
    const colon = line.indexOf(":"); // at the start: a comment, a field without a name
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
    if (field === "event") this.#name = value;
    else if (field === "data") this.#data.push(value);
    return null;
  }
}
