/** The source behind a server: how it follows a run, asks again for what was let go, and tells what went wrong. */
import { afterEach, describe, expect, it, vi } from "vitest";
import { eventsOf } from "../src/source/events";
import type { RunFact } from "../src/source/facts";
import { HttpSource } from "../src/source/http";
import { Problem, type RunListener } from "../src/source/source";

type Answer = (path: string, options: RequestInit) => Response | Promise<Response>;

/** Answers by what a request says, in the order of the list; the requests are written down. */
function serve(answers: [string, Answer][]): string[] {
  const asked: string[] = [];
  vi.stubGlobal("fetch", async (path: string, options: RequestInit = {}) => {
    const line = `${options.method ?? "GET"} ${path}`;
    asked.push(line);
    const found = answers.find(([start]) => line.startsWith(start));
    if (!found) throw new TypeError("Failed to fetch");
    return found[1](path, options);
  });
  return asked;
}

const json = (value: unknown, status = 200) => new Response(JSON.stringify(value), { status });
const run = (state: string, id = "r1") => ({ id, state, maps: [], problem: null }) as unknown as RunFact;
const problem = (status: number) => json({ problem: "gone", expected: "", received: "", hint: "again" }, status);
const stream = (...pieces: string[]) =>
  new Response(
    new ReadableStream({
      start(controller) {
        for (const piece of pieces) controller.enqueue(new TextEncoder().encode(piece));
        controller.close();
      },
    }),
  );
const END = `event: end\ndata: ${JSON.stringify(run("done"))}\n\n`;
const request = { model: "m", picture: "p", recipe: null };
const silent: RunListener = { started: () => undefined, arrived: () => undefined, ended: () => undefined };

afterEach(() => vi.unstubAllGlobals());

describe("server-sent events", () => {
  it("are read however the stream is cut, with letters of several bytes", async () => {
    const whole = new TextEncoder().encode("event: map\ndata: {\"é\":1}\n\n: nothing\n\nevent: end\r\ndata: a\r\ndata: b\r\n\r\n");
    for (let cut = 1; cut < whole.length; cut++) {
      const body = new ReadableStream<Uint8Array>({
        start(controller) {
          controller.enqueue(whole.slice(0, cut));
          controller.enqueue(whole.slice(cut));
          controller.close();
        },
      });
      const found = [];
      for await (const event of eventsOf(body)) found.push(event);
      expect(found).toEqual([
        { name: "map", data: '{"é":1}' },
        { name: "end", data: "a\nb" },
      ]);
    }
  });
});

describe("a run", () => {
  it("tells its layers as they come, and its end", async () => {
    const map = (layer: string, done: number) => `event: map\ndata: ${JSON.stringify({ map: { layer }, done, total: 2 })}\n\n`;
    serve([
      ["POST api/runs", () => json(run("running"), 202)],
      ["GET api/runs/r1/events", () => stream(map("conv", 1), map("relu", 2) + END)],
    ]);
    const told: string[] = [];
    const ended = await new HttpSource().run(
      request,
      {
        started: ({ state }) => told.push(`started ${state}`),
        arrived: (fact, done, total) => told.push(`${fact.layer} ${done}/${total}`),
        ended: ({ state }) => told.push(`ended ${state}`),
      },
      new AbortController().signal,
    );
    expect(told).toEqual(["started running", "conv 1/2", "relu 2/2", "ended done"]);
    expect(ended.id).toBe("r1");
  });

  it("that is aborted is left, and the next one waits until it is", async () => {
    let left: (response: Response) => void = () => undefined;
    const asked = serve([
      ["POST api/runs", () => json(run("running"), 202)],
      ["DELETE api/runs/r1", () => new Promise<Response>((resolve) => (left = resolve))],
      [
        "GET api/runs/r1/events",
        (_, { signal }) => new Promise<Response>((_resolve, reject) => signal?.addEventListener("abort", () => reject(signal.reason))),
      ],
    ]);
    const source = new HttpSource();
    const controller = new AbortController();
    const going = source.run(request, silent, controller.signal);
    await vi.waitFor(() => expect(asked).toHaveLength(2));
    controller.abort();
    await expect(going).rejects.toThrow("abort");
    void source.run(request, silent, new AbortController().signal).catch(() => undefined);
    await new Promise((resolve) => setTimeout(resolve, 20));
    const lines = () => asked.map((line) => line.split("?")[0]);
    expect(lines()).toEqual(["POST api/runs", "GET api/runs/r1/events", "DELETE api/runs/r1"]);
    left(json(run("cancelled")));
    await vi.waitFor(() => expect(lines().slice(3)).toEqual(["POST api/runs", "GET api/runs/r1/events"]));
  });

  it("whose stream breaks off is a lost server, unless it has ended meanwhile", async () => {
    for (const state of ["running", "done"]) {
      serve([
        ["POST api/runs", () => json(run("running"), 202)],
        ["GET api/runs/r1/events", () => stream("event: map\ndata: {")],
        ["GET api/runs/r1", () => json(run(state))],
      ]);
      const found = new HttpSource().run(request, silent, new AbortController().signal);
      if (state === "done") expect((await found).state).toBe("done");
      else await expect(found).rejects.toBeInstanceOf(Problem);
    }
  });

  it("that the server let go is run again, once for all that ask, and they get their answers", async () => {
    let there = true;
    const asked = serve([
      ["POST api/runs", () => ((there = true), json(run("running"), 202))],
      ["GET api/runs/r1/events", () => stream(END)],
      ["GET api/runs/r1/channels", () => (there ? json({ layer: "conv" }) : problem(410))],
    ]);
    const source = new HttpSource();
    await source.run(request, silent, new AbortController().signal);
    there = false;
    const found = await Promise.all([source.channels("r1", "conv"), source.channels("r1", "conv")]);
    expect(found).toEqual([{ layer: "conv" }, { layer: "conv" }]);
    expect(asked.filter((line) => line.startsWith("POST"))).toHaveLength(2);
  });

  it("isn't run again for a layer that it doesn't have", async () => {
    const asked = serve([
      ["POST api/runs", () => json(run("done"), 202)],
      ["GET api/runs/r1/channels", () => problem(404)],
      ["GET api/runs/r1", () => json(run("done"))],
    ]);
    const source = new HttpSource();
    await source.run(request, silent, new AbortController().signal);
    await expect(source.channels("r1", "nothing")).rejects.toMatchObject({ status: 404 });
    expect(asked.filter((line) => line.startsWith("POST"))).toHaveLength(1);
  });
});

describe("a request", () => {
  it("names layers and ids in a form that an address can hold", async () => {
    const asked = serve([["GET", () => json(null)]]);
    await new HttpSource().field("r/1", "block/conv?&=#é", [0, 10, 20]);
    const address = new URL(asked[0]?.slice(4) ?? "", "http://127.0.0.1/");
    expect(address.pathname).toBe("/api/runs/r%2F1/field");
    expect(Object.fromEntries(address.searchParams)).toEqual({ layer: "block/conv?&=#é", index: "0,10,20" });
  });

  it("that is refused gives the server's own words", async () => {
    serve([["GET", () => problem(422)]]);
    await expect(new HttpSource().session()).rejects.toMatchObject({ status: 422, fact: { problem: "gone", hint: "again" } });
  });

  it("that something else answers gives words all the same", async () => {
    serve([["GET", () => new Response("<html>", { status: 502, statusText: "Bad Gateway" })]]);
    await expect(new HttpSource().session()).rejects.toMatchObject({ fact: { received: "502 Bad Gateway" } });
  });

  it("that nobody answers tells the watchers, and the next answer tells them again", async () => {
    const answers: [string, Answer][] = [];
    serve(answers);
    const source = new HttpSource();
    const told: boolean[] = [];
    const stop = source.watch((there) => told.push(there));
    await expect(source.network({ model: "m" })).rejects.toBeInstanceOf(Problem);
    answers.push(["GET", () => json({})]);
    await source.network({ model: "m" });
    stop();
    expect(told).toEqual([false, true]);
  });
});
