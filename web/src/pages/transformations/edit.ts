import type { Connection, Transformation, WorkspaceDocument } from "../../api/client";
import type { FieldProblem } from "../../api/problem";

/** What a person changed: the code, and on which connections it runs, by their keys. */
export type Draft = { name: string; code: string; on: string[] };

/** The name of a connection, as changes show it. */
export const keyOf = (c: Connection) => `${c.source} -> ${c.destination}`;

export const template = `// Gets each event; return it, several in a list, or nothing to drop it.
export function transformEvent(event) {
  return event;
}
`;

/** The draft of what a document holds now. */
export function draftOf(document: WorkspaceDocument, name: string): Draft {
  const code = document.transformations?.find((t) => t.name === name)?.code ?? template;
  const on = (document.connections ?? []).filter((c) => c.transformations?.includes(name)).map(keyOf);
  return { name, code, on };
}

/** The document with the draft in it; a connection that it joins runs it last. */
export function withDraft(document: WorkspaceDocument, draft: Draft): WorkspaceDocument {
  const { name, code, on } = draft;
  const before = document.transformations ?? [];
  const added: Transformation[] = before.some((t) => t.name === name) ? [] : [{ name, language: "javascript", code }];
  const connections = (document.connections ?? []).map((c) => {
    const chain = c.transformations ?? [];
    if (on.includes(keyOf(c))) return chain.includes(name) ? c : { ...c, transformations: [...chain, name] };
    return chain.includes(name) ? { ...c, transformations: chain.filter((t) => t !== name) } : c;
  });
  return {
    ...document,
    transformations: [...before.map((t) => (t.name === name ? { ...t, code } : t)), ...added],
    connections,
  };
}

/** A problem of code in words: where it is in the editor, or in what else of the workspace. */
export function placed({ path, text }: FieldProblem, own: string): string {
  const [, line, column, rest] = /^(\d+):(\d+): ?(.*)$/s.exec(text) ?? [];
  const said = rest === undefined ? text : `Line ${line}, column ${column}: ${rest}`;
  return path === "" || path === own || path.startsWith(`${own}.`) ? said : `${path}: ${said}`;
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
