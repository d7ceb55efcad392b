/**
 * The page's arithmetic says what Python's says, of the same cases: every word, every place, every number.
 *
 * `tests/cases/arithmetic.json` is drawn from the strategies of Python's tests and from ONNX's own operator tests, and
 * Python is held to it as well (`tests/arithmetic/test_cases.py`). To write it anew:
 * `.venv/bin/python -m tests.arithmetic.cases`.
 */
import { describe, expect, it } from "vitest";
import { explain, type Described } from "../src/arithmetic/explaining";
import type { Tensor } from "../src/arithmetic/operations";
import { explanationFact } from "../src/arithmetic/telling";
import type { ExplanationFact, Num } from "../src/source/facts";
import cases from "./cases/arithmetic.json";

interface Array {
  dtype: string;
  shape: number[];
  data: Num[];
}
interface Value {
  fact: ExplanationFact;
  magnitude?: Num;
  focus?: number | null;
  accumulated?: Num | null;
}
interface Case {
  from: string;
  layer: Described;
  sources: Array[];
  weights: Record<string, Array>;
  values: Value[];
}

const CASES = cases as unknown as Case[];
const GROUPS = 24;
const CLOSE = 1e-12;

function tensorOf({ dtype, shape, data }: Array): Tensor {
  const numbers = data.map(Number);
  const kinds = { int32: Int32Array, float64: Float64Array };
  const made = kinds[dtype as keyof typeof kinds] ?? Float32Array;
  return { shape, data: made.from(numbers) };
}

/** Where two differ; numbers may, by a rounding of what was added up. */
function difference(ours: unknown, theirs: unknown, size: number, path = ""): string | null {
  if (Array.isArray(theirs) && Array.isArray(ours)) {
    if (ours.length !== theirs.length) return `${path}: ${ours.length} instead of ${theirs.length}`;
    for (const [n, one] of theirs.entries()) {
      const found = difference(ours[n], one, size, `${path}[${n}]`);
      if (found) return found;
    }
    return null;
  }
  if (theirs !== null && typeof theirs === "object" && ours !== null && typeof ours === "object") {
    for (const name of Object.keys(theirs)) {
      const [own, other] = [ours, theirs].map((one) => (one as Record<string, unknown>)[name]);
      const found = difference(own, other, size, path ? `${path}.${name}` : name);
      if (found) return found;
    }
    return null;
  }
  if (typeof theirs === "number" && typeof ours === "number" && !Number.isInteger(theirs)) {
    if (Math.abs(ours - theirs) <= CLOSE * (Math.abs(theirs) + size)) return null;
  }
  return ours === theirs ? null : `${path}: ${String(ours)} instead of ${String(theirs)}`;
}

function finite(value: Num | null | undefined): number {
  return typeof value === "number" ? value : 0;
}

describe("every case", () => {
  for (const kind of new Set(CASES.map((one) => one.from)))
    it(kind, () => {
      for (const { layer, sources, weights, values } of CASES.filter((one) => one.from === kind)) {
        const read = sources.map(tensorOf);
        const roles = Object.fromEntries(Object.entries(weights).map(([role, one]) => [role, tensorOf(one)]));
        for (const { fact, magnitude, focus, accumulated } of values) {
          const worked = explain(layer, fact.index, read, roles);
          const told = explanationFact(layer, fact.index, Number(fact.framework_value), worked, GROUPS);
          const where = `${layer.name} ${JSON.stringify(layer.operation)} at ${fact.index.join()}`;
          const size = Math.max(finite(magnitude), ...told.steps.map((step) => Math.abs(finite(step.value))));
          expect(difference(told, fact, Number.isFinite(size) ? size : 0), where).toBeNull();
          if (fact === values[0]?.fact) expect(Object.keys(told).sort()).toEqual(Object.keys(fact).sort());
          if (!worked) continue;
          expect(worked.focus, where).toBe(focus ?? null);
          expect(difference(worked.accumulated, accumulated ?? null, size), where).toBeNull();
          const limit = CLOSE * (finite(magnitude) || 1);
          if (typeof magnitude === "number")
            expect(Math.abs(worked.magnitude - magnitude), where).toBeLessThanOrEqual(limit);
        }
      }
    });
});
