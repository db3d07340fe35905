import type { FieldProblem } from "../../api/problem";
import type { Mark } from "../../parts/editor";
import destination from "./examples/destination.yaml?raw";
import source from "./examples/source.yaml?raw";

/** The specs that people begin with when they declare a kind of their own. */
export const examples = { destination, source };

/** A problem of a spec: its place, its line, 0 where none is known, and what is wrong. */
export type SpecProblem = { path: string; line: number; text: string };

/** The problems of a spec; where they stand is told at the beginning of their text. */
export function specProblems(fields: readonly FieldProblem[]): SpecProblem[] {
  return fields.map(({ path, text }) => {
    const [, line, rest] = /^line (\d+): (.*)$/s.exec(text) ?? [];
    return { path, line: Number(line ?? 0), text: rest ?? text };
  });
}

/** Where an editor of the spec shows them: at the word that they are about, else at the first word of their line. */
export function specMarks(problems: readonly SpecProblem[], spec: string): Mark[] {
  const lines = spec.split("\n");
  return problems.map((p) => {
    const line = Math.max(p.line, 1);
    const at = lines[line - 1] ?? "";
    const word = p.path
      .split(/[.[\]]+/)
      .filter((w) => /\D/.test(w))
      .at(-1);
    const found = word === undefined ? -1 : at.indexOf(word);
    return { line, column: 1 + Math.max(0, found < 0 ? at.search(/[^\s-]/) : found), text: told(p) };
  });
}

/** A problem as one sentence with its place. */
export function told({ path, text }: SpecProblem): string {
  return path === "" ? text : `${path}: ${text}`;
}
