/** Arrays that NumPy itself has written, read back. */
import { describe, expect, it } from "vitest";
import { parseNpy } from "../src/source/npy";

// numpy.save of each array, as base64.
const FILES = {
  table:
    "k05VTVBZAQB2AHsnZGVzY3InOiAnPGY0JywgJ2ZvcnRyYW5fb3JkZXInOiBGYWxzZSwgJ3NoYXBlJzogKDIsIDMpLCB9ICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgIAoAAMA/AAAAgAAAwH8AAIB/nsl/fwEAAAA=",
  version2:
    "k05VTVBZAgB0AAAAeydkZXNjcic6ICc8ZjQnLCAnZm9ydHJhbl9vcmRlcic6IEZhbHNlLCAnc2hhcGUnOiAoMiwgMyksIH0gICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgIAoAAMA/AAAAgAAAwH8AAIB/nsl/fwEAAAA=",
  scalar:
    "k05VTVBZAQB2AHsnZGVzY3InOiAnPGY0JywgJ2ZvcnRyYW5fb3JkZXInOiBGYWxzZSwgJ3NoYXBlJzogKCksIH0gICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgIAoAAOhA",
  halves:
    "k05VTVBZAQB2AHsnZGVzY3InOiAnPGYyJywgJ2ZvcnRyYW5fb3JkZXInOiBGYWxzZSwgJ3NoYXBlJzogKDUsKSwgfSAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgIAoAPgDAAHwBAP97",
  doubles:
    "k05VTVBZAQB2AHsnZGVzY3InOiAnPGY4JywgJ2ZvcnRyYW5fb3JkZXInOiBGYWxzZSwgJ3NoYXBlJzogKDMsKSwgfSAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgIAoAAAAAAAAAAAAAAAAAAPA/AAAAAAAAAEA=",
  columnsFirst:
    "k05VTVBZAQB2AHsnZGVzY3InOiAnPGY0JywgJ2ZvcnRyYW5fb3JkZXInOiBUcnVlLCAnc2hhcGUnOiAoMiwgMyksIH0gICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgIAoAAIA/AACAPwAAgD8AAIA/AACAPwAAgD8=",
};
const bytes = (text: string) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
const file = (name: keyof typeof FILES) => bytes(FILES[name]).buffer;
const NUMBERS = [1.5, -0, NaN, Infinity, Math.fround(3.4e38), 2 ** -149];

describe("an .npy file", () => {
  it.each(["table", "version2"] as const)("of float32 gives every bit (%s)", (name) => {
    const { data, shape, bytes } = parseNpy(file(name));
    expect(shape).toEqual([2, 3]);
    expect(bytes).toBe(4);
    expect([...data].every((value, n) => Object.is(value, NUMBERS[n]))).toBe(true);
  });

  it("of one number has no axes", () => {
    const { data, shape } = parseNpy(file("scalar"));
    expect(shape).toEqual([]);
    expect([...data]).toEqual([7.25]);
  });

  it("of float16 gives its values in float32", () => {
    const { data, shape, bytes } = parseNpy(file("halves"));
    expect(shape).toEqual([5]);
    expect(bytes).toBe(2);
    expect([...data]).toEqual([1.5, -2, Infinity, 2 ** -24, 65504]);
  });

  it.each(["doubles", "columnsFirst"] as const)("of another layout is refused (%s)", (name) => {
    expect(() => parseNpy(file(name))).toThrow("Only rows of float32 and float16");
  });

  it("that is cut off, too long, or something else is refused", () => {
    expect(() => parseNpy(file("table").slice(0, -4))).toThrow("what its shape says");
    expect(() => parseNpy(file("table").slice(0, 40))).toThrow("within its header");
    expect(() => parseNpy(new TextEncoder().encode("<!doctype html>").buffer as ArrayBuffer)).toThrow("no .npy");
    expect(() => parseNpy(new ArrayBuffer(0))).toThrow("no .npy");
  });
});
