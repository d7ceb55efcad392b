/** What a file is that a person opens, drops or pastes: a picture, a model that can be sent, or a model to be opened elsewhere. */
import type { ProblemFact } from "../source/facts";
import type { Abilities } from "../source/source";
import { t } from "../words";

/** The endings of the models that a server takes from a page: `UPLOADABLE` of `convlens.hosts.server.models`. */
export const SENDABLE: readonly string[] = [".onnx"];
/** Those that convlens opens by path (`convlens.engines.registry`), and those of others, which it doesn't. */
const OPENED: readonly string[] = [".onnx", ".keras", ".h5", ".hdf5", ".pt2", ".pt", ".pth"];
const FOREIGN: readonly string[] = [".tflite", ".pb", ".mlmodel", ".mlpackage", ".safetensors", ".caffemodel", ".gguf", ".engine", ".ckpt", ".pkl", ".ort"];

export type FileKind = "picture" | "sendable" | "opened" | "foreign";

export function kindOf(file: Blob, name: string): FileKind {
  const ending = /\.[^./\\]*$/.exec(name.toLowerCase())?.[0] ?? "";
  if (file.type.startsWith("image/")) return "picture";
  if (SENDABLE.includes(ending)) return "sendable";
  if (OPENED.includes(ending)) return "opened";
  return FOREIGN.includes(ending) ? "foreign" : "picture";
}

/** Why a model isn't opened here, and what to type instead. */
export function refusal(name: string, kind: FileKind, can: Abilities): ProblemFact {
  const problem = t(kind === "foreign" ? "opening.foreign" : kind === "sendable" ? "opening.closed" : "opening.notSent", { name });
  const typed = can.files ? `convlens view ${quoted(name)}` : `convlens.open(${JSON.stringify(name)})`;
  const hint = kind === "foreign" ? t("opening.convert") : t(can.files ? "opening.type" : "opening.python", { typed });
  return { problem, expected: "", received: "", hint };
}

/** A name as a shell takes it for one word. */
function quoted(name: string): string {
  return /^[\w.][\w.-]*$/.test(name) ? name : `'${name.replaceAll("'", "'\\''")}'`;
}
