import type { Table } from "../warehouses/tables";
import type { Choice } from "./choices";
import type { Columns, Entity, Input, Pair } from "./form";

/** How many values of a column are values of something that is known. */
export type Match = { column: string; target: string; hit: number; of: number };

/** What values of columns are compared with: identifiers of customers, or a column of a table. */
export type Target = {
  name: string;
  type: string;
  /** The statement that reads its values. */
  values: string;
  /** The table that says whose such an identifier is, with its columns; of one that is no input yet. */
  beside?: { choice: Choice; column: string; ids: Pair[] };
};

type Kind = "time" | "number" | "text" | "other";

export function kindOf(type: string): Kind {
  if (/timestamp|datetime|^date/.test(type)) return "time";
  if (/int|double|decimal|numeric|real|float/.test(type)) return "number";
  return /char|text|uuid|string/.test(type) ? "text" : "other";
}

const address = /^[^\s@]+@[^\s@]+\.[^\s@]+$/;
const people = /users?|customers?|contacts?|leads?|people|persons?|accounts?|members?$/;
const times = [
  "created_at",
  "created",
  "occurred_at",
  "timestamp",
  "ordered_at",
  "date",
  "time",
  "at",
  "inserted_at",
  "received_at",
  "updated_at",
];
const changes = ["uuid_ts", "updated_at", "updated", "modified_at", "last_modified", "changed_at"];

/** The different values that a column has in some rows, most of them first as they came. */
export function samplesOf(rows: readonly Record<string, unknown>[], column: string, most: number): string[] {
  const found = new Set<string>();
  for (const r of rows) {
    const v = r[column];
    if (v === null || v === undefined || v === "") continue;
    found.add(typeof v === "string" ? v : JSON.stringify(v));
    if (found.size === most) break;
  }
  return [...found];
}

/** Whether a column holds what a type of identifiers is, by its name, or by its values where these tell it. */
function fits(type: Entity["ids"][number], column: string, samples: readonly string[]): boolean {
  if (type.name === column) return true;
  if (type.clean === "email" || /mail/.test(type.name))
    return samples.length > 0 && samples.every((s) => address.test(s));
  if (type.clean === "phone" || /phone/.test(type.name)) return /phone|mobile|msisdn/.test(column);
  return type.name === column.replaceAll("_", "") || type.name.replaceAll("_", "") === column;
}

/** Columns whose values may be identifiers of something else. */
export function candidates(table: Table): string[] {
  return table.columns
    .filter((c) => ["text", "number"].includes(kindOf(c.type)) && !c.name.startsWith("context_"))
    .map((c) => c.name)
    .filter((n) => n !== "id" && /_id$|^uid$|customer|user|contact|requester|account|owner|buyer|member/.test(n))
    .slice(0, 8);
}

export type Proposal = Columns & {
  /** A table that says whose the identifiers of a new type are. */
  beside?: { input: Input; type: string; column: string; match: Match };
  matches: (Match & { type: string })[];
};

/** What the columns of a table are most likely. */
export function propose(
  choice: Choice,
  rows: readonly Record<string, unknown>[],
  entities: readonly Entity[],
  targets: readonly Target[],
  matches: readonly Match[],
): Proposal {
  const columns = choice.table?.columns ?? [];
  const types = entities.flatMap((e) => e.ids).filter((t) => t.of === undefined);
  const ids: Pair[] = [];
  for (const t of types) {
    if (ids.some((p) => p.type === t.name)) continue;
    const exact = columns.find((c) => c.name === t.name);
    const found =
      exact ??
      columns.find(
        (c) =>
          ["text", "number"].includes(kindOf(c.type)) &&
          !c.name.startsWith("context_") &&
          !ids.some((p) => p.column === c.name) &&
          fits(t, c.name, samplesOf(rows, c.name, 20)),
      );
    if (found) ids.push({ type: t.name, column: found.name });
  }
  const own = choice.source && `${choice.source}_id`;
  const whose = choice.rows.startsWith("from:") && people.test(choice.rows);
  if (own && whose && columns.some((c) => c.name === "id") && types.some((t) => t.name === own) && !has(ids, own))
    ids.push({ type: own, column: "id" });
  const good = matches.filter((m) => m.of > 0 && m.hit / m.of >= 0.5).sort((a, b) => b.hit / b.of - a.hit / a.of);
  let beside: Proposal["beside"];
  const told: Proposal["matches"] = [];
  for (const m of good) {
    const target = targets.find((t) => t.name === m.target);
    if (!target) continue;
    told.push({ ...m, type: target.type });
    if (has(ids, target.type) || ids.some((p) => p.column === m.column)) continue;
    if (target.beside && beside) continue;
    ids.push({ type: target.type, column: m.column });
    if (target.beside) beside = { ...inputBeside(target.beside, target.type), column: m.column, match: m };
  }
  return { ...timesOf(choice), ids, matches: told, ...(beside ? { beside } : {}) };
}

function has(ids: readonly Pair[], type: string): boolean {
  return ids.some((p) => p.type === type);
}

function inputBeside({ choice, column, ids }: NonNullable<Target["beside"]>, type: string) {
  const { at, changed } = timesOf(choice);
  const from = choice.rows.slice("from:".length);
  const name = (from.split(".").at(-1) ?? from).slice(0, 40);
  const all = [{ type, column }, ...ids.filter((p) => p.type !== type)];
  return {
    type,
    input: {
      name,
      from,
      at,
      ...(changed === "" ? {} : { changed }),
      ids: Object.fromEntries(all.map((p) => [p.type, p.column])),
    },
  };
}

/** Which columns have times, and which one names a row. */
function timesOf(choice: Choice): Omit<Columns, "ids"> {
  const columns = choice.table?.columns ?? [];
  if (choice.rows.startsWith("events:")) return { at: "", changed: "", known: "", row: "" };
  const moments = columns.filter((c) => kindOf(c.type) === "time").map((c) => c.name);
  const first = (of: readonly string[]) => of.find((n) => moments.includes(n)) ?? "";
  return {
    at: first(times) || (moments[0] ?? ""),
    changed: first(changes),
    known: "",
    row: columns.some((c) => c.name === "id")
      ? ""
      : (columns.find((c) => /^(key|uuid|row_id)$/.test(c.name))?.name ?? ""),
  };
}

/** What values of a table's columns can be compared with. */
export function targetsOf(
  choice: Choice,
  choices: readonly Choice[],
  tables: readonly Table[],
  entities: readonly Entity[],
  inputs: readonly Input[],
  named: (t: Pick<Table, "schema" | "name">) => string,
): Target[] {
  const found: Target[] = [];
  for (const e of entities) {
    if (!tables.some((t) => t.schema === "profiles" && t.name === `${e.name}_ids`)) continue;
    for (const t of e.ids.filter((x) => x.of === undefined))
      found.push({
        name: `known as ${t.name}`,
        type: t.name,
        values: `select value from profiles.${e.name}_ids where id_type = '${t.name}'`,
      });
  }
  const values = (t: Table, column: string) => `select cast("${column}" as varchar) from ${named(t)}`;
  for (const i of inputs) {
    const table = choices.find((c) => c.rows === `from:${i.from}`)?.table;
    if (!table || table === choice.table) continue;
    for (const [type, column] of Object.entries(i.ids ?? {}))
      found.push({ name: `in ${i.from}.${String(column)}`, type, values: values(table, String(column)) });
  }
  if (choice.source)
    for (const c of choices) {
      if (c.source !== choice.source || c === choice || !c.table || !people.test(c.rows)) continue;
      if (inputs.some((i) => `from:${i.from}` === c.rows) || !c.table.columns.some((x) => x.name === "id")) continue;
      const ids = propose(c, [], entities, [], []).ids;
      const mail = entities.flatMap((e) => e.ids).find((t) => t.clean === "email" || /mail/.test(t.name));
      const column = c.table.columns.find((x) => /^e?_?mail$/.test(x.name))?.name;
      if (mail && column && !has(ids, mail.name)) ids.push({ type: mail.name, column });
      if (ids.length === 0) continue;
      const type = `${choice.source}_id`.slice(0, 40);
      found.push({
        name: `in ${c.rows.slice("from:".length)}.id`,
        type,
        values: values(c.table, "id"),
        beside: { choice: c, column: "id", ids },
      });
    }
  return found.slice(0, 12);
}
