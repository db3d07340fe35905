import type { Connection, WorkspaceDocument } from "../../api/client";
import type { FieldProblem } from "../../api/problem";
import { connectionKey } from "../../draft/edits";
import type { Mark } from "../../parts/editor";

/** What a person changes: the name, the code, and on which connections it runs, by their keys. */
export type Typed = { name: string; code: string; on: string[] };

/** The name of a connection, as changes show it. */
export const keyOf = (c: Connection) => connectionKey(c.source, c.destination);

export const template = `// Gets each event; return it, several in a list, or nothing to drop it.
export function transformEvent(event) {
  return event;
}
`;

/** A transformation as a document holds it; name is "" for a new one. */
export function typedOf(document: WorkspaceDocument, name: string): Typed {
  const code = document.transformations?.find((t) => t.name === name)?.code ?? template;
  const on = (document.connections ?? [])
    .filter((c) => name !== "" && c.transformations?.includes(name))
    .map(keyOf)
    .sort();
  return { name, code, on };
}

/** The connections whose chain changes when a transformation runs on those of keys; one that it joins runs it last. */
export function rechained(document: WorkspaceDocument, former: string, { name, on }: Typed): Connection[] {
  return (document.connections ?? []).flatMap((c) => {
    const chain = c.transformations ?? [];
    const has = former !== "" && chain.includes(former);
    const wants = on.includes(keyOf(c));
    if (has === wants) return [];
    return [{ ...c, transformations: wants ? [...chain, name] : chain.filter((t) => t !== former) }];
  });
}

/** A problem of code in words: where it is in the editor, or in what else of the workspace. */
export function placed({ path, text }: FieldProblem, own: string): string {
  const [, line, column, rest] = /^(\d+):(\d+): ?(.*)$/s.exec(text) ?? [];
  const said = rest === undefined ? text : `Line ${line}, column ${column}: ${rest}`;
  return path === "" || path === own || path.startsWith(`${own}.`) ? said : `${path}: ${said}`;
}

/** Where problems are in the code, of those that say so. */
export function marksOf(problems: readonly FieldProblem[]): Mark[] {
  return problems.flatMap(({ text }) => {
    const [, line, column, rest] = /^(\d+):(\d+): ?(.*)$/s.exec(text) ?? [];
    return rest === undefined ? [] : [{ line: Number(line), column: Number(column), text: rest }];
  });
}

/** The events of a sample: one JSON object, a list of them, or one a line. A sentence when it is none of these. */
export function eventsOf(sample: string): unknown[] | string {
  const text = sample.trim();
  if (text === "") return "Paste an event, or take one from live.";
  const whole = parsed(text);
  if (whole !== undefined) return Array.isArray(whole) ? whole : [whole];
  const lines = text.split("\n").filter((l) => l.trim() !== "");
  const events = lines.map(parsed);
  const wrong = events.indexOf(undefined);
  if (wrong < 0) return events;
  return text.startsWith("[") || lines.length === 1 || parsed(lines[0] ?? "") === undefined
    ? "The sample is not JSON. Paste an object, a list of objects, or an object a line."
    : `Event ${wrong + 1} of the sample is not JSON. Put each event on a line of its own.`;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
