import { describe, expect, it } from "vitest";
import { eventsOf, type ServerEvent } from "../src/source/events";

/** What is read where the bytes come in pieces that end at these places. */
async function read(text: string, cuts: number[]): Promise<ServerEvent[]> {
  const bytes = new TextEncoder().encode(text);
  const ends = [...cuts.filter((at) => at < bytes.length).sort((a, b) => a - b), bytes.length];
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      let from = 0;
      for (const end of ends) {
        controller.enqueue(bytes.slice(from, end));
        from = end;
      }
      controller.close();
    },
  });
  const found: ServerEvent[] = [];
  for await (const event of eventsOf(body)) found.push(event);
  return found;
}

const message = (data: string, name = "message"): ServerEvent => ({ name, data });

/** A stream, with LF as the end of each line, and what the standard says that it holds. */
const CASES: [string, string, ServerEvent[]][] = [
  ["one event", "event: map\ndata: {}\n\n", [message("{}", "map")]],
  ["data of several lines", "data: YHOO\ndata: +2\ndata: 10\n\n", [message("YHOO\n+2\n10")]],
  ["data without a colon is an empty line", "data\n\ndata\ndata\n\ndata:\n\n", [message(""), message("\n"), message("")]],
  ["data without a colon is not the field's name", "data\ndata: x\n\n", [message("\nx")]],
  ["one space after the colon is none of the value", "data:test\n\ndata: test\n\ndata:  test\n\n", [message("test"), message("test"), message(" test")]],
  ["comments", ": hello\n\ndata: a\n:data: b\n: \n\n", [message("a")]],
  ["an event without data is none", "event: map\n\ndata: x\n\n", [message("x")]],
  ["the last name counts, an empty one is none", "event: a\nevent: b\ndata: 1\n\nevent: a\nevent\ndata: 2\n\n", [message("1", "b"), message("2")]],
  ["other fields are passed over", "id: 7\nretry: 10\nDATA: no\n data: no\ndata : no\ndatum: no\ndata: yes\n\n", [message("yes")]],
  ["colons in a value", "data: a:b: c\n\n", [message("a:b: c")]],
  ["what no blank line ends is none", "data: a\n\ndata: b\n", [message("a")]],
  ["blank lines are no events", "\n\n\ndata: a\n\n\n\n", [message("a")]],
  ["a byte order mark at the beginning", "\ufeffdata: a\n\n", [message("a")]],
  ["and one elsewhere is a letter", "data: a\n\n\ufeffdata: b\n\ndata: \ufeff\n\n", [message("a"), message("\ufeff")]],
  ["letters of several bytes", "event: แมว\ndata: ค่า 🐈 \u2028 \u0085 \v\n\n", [message("ค่า 🐈 \u2028 \u0085 \v", "แมว")]],
];

describe("a stream of events", () => {
  for (const [what, text, events] of CASES)
    for (const [end, name] of [["\n", "LF"], ["\r", "CR"], ["\r\n", "CRLF"]] as const)
      it(`${what}, ${name}, wherever it is cut`, async () => {
        const stream = text.replaceAll("\n", end);
        const length = new TextEncoder().encode(stream).length;
        expect(await read(stream, [])).toEqual(events);
        expect(await read(stream, Array.from({ length }, (_, at) => at))).toEqual(events);
        for (let at = 0; at < length; at++) expect(await read(stream, [at])).toEqual(events);
      });

  it("reads ends of lines of different kinds in one stream", async () => {
    expect(await read("data: a\r\ndata: b\rdata: c\n\r\ndata: d\n\rdata: e\r\r", [])).toEqual([message("a\nb\nc"), message("d"), message("e")]);
  });

  it("lets the stream go when nobody reads on", async () => {
    let gone = false;
    const body = new ReadableStream<Uint8Array>({
      pull: (controller) => controller.enqueue(new TextEncoder().encode("data: a\n\n")),
      cancel: () => void (gone = true),
    });
    for await (const event of eventsOf(body)) {
      expect(event).toEqual(message("a"));
      break;
    }
    expect(gone).toBe(true);
  });
});
