/** The source behind a notebook: what travels through the port, and what is made of the answers. */
import { afterEach, describe, expect, it, vi } from "vitest";
import type { MapFact, RunFact } from "../src/source/facts";
import { PortSource } from "../src/source/port";
import { Line } from "../src/source/port/line";
import { Problem, type RunListener } from "../src/source/source";

interface Question {
  ask: string;
  with: Record<string, unknown>;
  id: string;
}
type Reply = { fact?: unknown; shape?: number[]; dtype?: string; problem?: object; status?: number; data?: ArrayBuffer };

const silent: RunListener = { started: () => undefined, arrived: () => undefined, ended: () => undefined };
const request = { model: "m", picture: "p", recipe: null };
const run = (state: string, maps: string[], extra: object = {}) =>
  ({ id: "r1", state, total: 3, maps: maps.map((layer) => ({ layer }) as MapFact), ...extra }) as unknown as RunFact;

const ports: MessagePort[] = [];

/** A notebook that answers; every question is written down. */
function notebook(answer: (question: Question, file: ArrayBuffer | null) => Reply) {
  const { port1, port2 } = new MessageChannel();
  ports.push(port1, port2);
  const asked: Question[] = [];
  const told: unknown[] = [];
  port1.onmessage = ({ data }: MessageEvent) => {
    if (data.shown) {
      told.push(data);
      return;
    }
    asked.push(data.question);
    const { data: bytes, ...reply } = answer(data.question, data.file);
    port1.postMessage({ answer: { id: data.question.id, ...reply }, data: bytes ?? null });
  };
  const line = new Line(port2);
  return { source: new PortSource(line), line, asked, told, show: (message: object) => port1.postMessage(message) };
}

afterEach(() => {
  for (const port of ports.splice(0)) port.close();
  vi.unstubAllGlobals();
});

describe("numbers", () => {
  it("come as float32 with their shape", async () => {
    const data = Float32Array.of(1, -2.5, 3, NaN, 5, 6).buffer;
    const { source, asked } = notebook(() => ({ shape: [1, 2, 3], dtype: "float32", data }));
    const values = await source.maps("r", "conv", 0, [4], 0);
    expect([...values.data]).toEqual([1, -2.5, 3, NaN, 5, 6]);
    expect(values.shape).toEqual([1, 2, 3]);
    expect(values.exact).toBe(true);
    expect(asked[0]).toMatchObject({ ask: "maps", with: { run: "r", layer: "conv", level: 0, channels: [4], slice: 0 } });
  });

  it("are widened from float16, and then called means, not the framework's own", async () => {
    const data = Uint16Array.of(0x3c00, 0xc000).buffer; // 1, -2
    const { source } = notebook(() => ({ shape: [1, 1, 2], dtype: "float16", data }));
    const values = await source.maps("r", "conv", 2, [0], 0);
    expect([...values.data]).toEqual([1, -2]);
    expect(values.exact).toBe(false);
  });

  it("that aren't as many as their shape says are refused", async () => {
    const { source } = notebook(() => ({ shape: [2, 2], dtype: "float32", data: new ArrayBuffer(12) }));
    await expect(source.kernelValues({ model: "m" }, "conv", 0, 2)).rejects.toThrow("12 bytes");
  });
});

describe("a run", () => {
  it("is asked after until it has ended, and hands out each layer once", async () => {
    vi.stubGlobal("URL", { createObjectURL: (blob: Blob) => `blob:${blob.type}` });
    const steps = [run("running", ["conv"], { ended: false }), run("running", [], { ended: false }), run("done", ["relu"], { ended: true })];
    const { source, asked } = notebook(({ ask }) => {
      if (ask === "start") return { fact: run("running", []) };
      if (ask === "progress") return { fact: steps.shift() };
      return { data: new ArrayBuffer(8) };
    });
    const arrived: string[] = [];
    const ended = await source.run(request, { ...silent, arrived: (map) => arrived.push(map.layer) }, new AbortController().signal);
    expect(arrived).toEqual(["conv", "relu"]);
    expect(ended.maps.map((map) => map.layer)).toEqual(["conv", "relu"]);
    expect(asked.filter(({ ask }) => ask === "progress").map((one) => one.with["sent"])).toEqual([0, 1, 1]);
    expect(source.pictureAddress("r1")).toBe("blob:image/png");
  });

  it("that is broken off is left", async () => {
    const controller = new AbortController();
    const { source, asked } = notebook(({ ask }) => (ask === "start" ? { fact: run("running", []) } : { fact: run("running", [], { ended: false }) }));
    const going = source.run(request, { ...silent, started: () => setTimeout(() => controller.abort(), 5) }, controller.signal);
    await expect(going).rejects.toThrow();
    await vi.waitFor(() => expect(asked.at(-1)?.ask).toBe("leave"));
  });

  it("that the kernel let go of is made again, once", async () => {
    vi.stubGlobal("URL", { createObjectURL: () => "blob:" });
    let gone = false;
    const { source, asked } = notebook(({ ask }) => {
      if (ask === "start") {
        gone = false;
        return { fact: run("done", ["conv"]) };
      }
      if (ask === "progress") return { fact: run("done", [], { ended: true }) };
      if (gone && ask === "channels") return { problem: { problem: "gone", expected: "", received: "", hint: "" }, status: 410 };
      return { fact: { layer: "conv" }, data: new ArrayBuffer(1) };
    });
    await source.run(request, silent, new AbortController().signal);
    gone = true;
    const both = await Promise.all([source.channels("r1", "conv"), source.channels("r1", "conv")]);
    expect(both).toHaveLength(2);
    expect(asked.filter(({ ask }) => ask === "start")).toHaveLength(2);
  });
});

describe("errors and pictures", () => {
  it("an error keeps the kernel's words", async () => {
    const problem = { problem: "No such layer", expected: "conv", received: "cnv", hint: "Type conv." };
    const { source } = notebook(() => ({ problem, status: 404 }));
    const error = await source.kernels({ model: "m" }, "cnv").catch((found: unknown) => found);
    expect(error).toBeInstanceOf(Problem);
    expect((error as Problem).fact).toEqual(problem);
  });

  it("a picture's bytes travel to the kernel", async () => {
    vi.stubGlobal("URL", { createObjectURL: () => "blob:p" });
    let sent: ArrayBuffer | null = null;
    const { source } = notebook(({ ask }, file) => {
      if (ask === "addPicture") sent = file;
      return { fact: { id: "p" }, data: new ArrayBuffer(1) };
    });
    await source.addPicture(new Blob([Uint8Array.of(1, 2, 3)]), "a.png");
    expect([...new Uint8Array(sent ?? new ArrayBuffer(0))]).toEqual([1, 2, 3]);
    expect(source.originalAddress("p")).toBe("blob:p");
  });

  it("what the page chooses is told with the turn that it knows of", async () => {
    const { line, told, show } = notebook(() => ({}));
    const seen: unknown[] = [];
    line.onshow = (shown) => seen.push(shown);
    line.tell({ layer: "a", channel: 0, pixel: null });
    show({ show: { layer: "b", channel: 1, pixel: [2, 3] }, turn: 4 });
    await vi.waitFor(() => expect(seen).toEqual([{ layer: "b", channel: 1, pixel: [2, 3] }]));
    line.tell({ layer: "c", channel: 0, pixel: null });
    await vi.waitFor(() => expect(told).toHaveLength(2));
    expect(told.map((one) => (one as { turn: number }).turn)).toEqual([0, 4]);
  });
});
