/** What a component can see of an object follows its changes: a plain field that is assigned late would stay as it was at first. */
import { globSync, readFileSync } from "node:fs";
import ts from "typescript";
import { expect, it } from "vitest";

const SOURCES = globSync("src/{state,source,panels,play,learn}/**/*.ts", { cwd: `${import.meta.dirname}/..` }).filter((path) => !path.endsWith(".d.ts"));

/** Those of objects that live within one call alone: no component holds them. */
const MAY = ["Graph.value", "Reader.#next"];

interface Field {
  name: string;
  open: boolean;
}

/** The fields of a class that nothing follows, though they are assigned after the object was made and read from outside. */
export function unfollowed(text: string): string[] {
  const file = ts.createSourceFile("a.ts", text, ts.ScriptTarget.Latest, true);
  const found: string[] = [];
  const visit = (node: ts.Node): void => {
    if (ts.isClassDeclaration(node)) found.push(...unfollowedIn(node));
    ts.forEachChild(node, visit);
  };
  visit(file);
  return found;
}

function unfollowedIn(node: ts.ClassDeclaration): string[] {
  const fields: Field[] = node.members.flatMap((member) => {
    if (!ts.isPropertyDeclaration(member)) return [];
    const modifiers = (ts.getModifiers(member) ?? []).map(({ kind }) => kind);
    const rune = member.initializer && /^\$(state|derived)\b/.test(member.initializer.getText());
    if (rune || modifiers.includes(ts.SyntaxKind.ReadonlyKeyword)) return [];
    const hidden = ts.isPrivateIdentifier(member.name) || modifiers.includes(ts.SyntaxKind.PrivateKeyword);
    return [{ name: member.name.getText(), open: !hidden }];
  });
  const uses = (of: ts.Node, name: string): boolean => new RegExp(`this\\.${name.replace("$", "\\$")}(?![\\w$])`).test(of.getText());
  const seen = node.members.filter((member) => (ts.isGetAccessor(member) && !ts.isPrivateIdentifier(member.name)) || (ts.isPropertyDeclaration(member) && /^\$derived\b/.test(member.initializer?.getText() ?? "")));
  const late = node.members.filter((member) => !ts.isConstructorDeclaration(member) && !ts.isPropertyDeclaration(member));
  return fields
    .filter(({ name, open }) => open || seen.some((member) => uses(member, name)))
    .filter(({ name }) => late.some((member) => new RegExp(`this\\.${name}\\s*(=(?!=)|\\?\\?=|\\+\\+|--|[-+*]=)`).test(member.getText())))
    .map(({ name }) => `${node.name?.text}.${name}`);
}

it("every field that a component sees is reactive, or never assigned late", () => {
  const found = SOURCES.flatMap((path) => unfollowed(readFileSync(`${import.meta.dirname}/../${path}`, "utf-8")).map((field) => `${path}: ${field}`));
  expect(found.map((one) => one.split(": ")[1])).toEqual(MAY);
});

it.each([
  ["class A { can = 1; session() { this.can = 2; } }", ["A.can"]],
  ["class A { #can = 1; get can() { return this.#can; } session() { this.#can = 2; } }", ["A.#can"]],
  ["class A { #can = 1; readonly all = $derived(this.#can + 1); more() { this.#can++; } }", ["A.#can"]],
  ["class A { can = $state(1); session() { this.can = 2; } }", []],
  ["class A { readonly can = 1; constructor() { this.x = 1; } }", []],
  ["class A { #timer = 0; begin() { this.#timer = 1; return this.#timer; } }", []],
])("%s", (text, fields) => expect(unfollowed(text)).toEqual(fields));
