import type { WorkspaceDocument } from "../../api/client";
import { quotedName, type Table } from "../warehouses/tables";

/** Rows that an input can be made of. */
export type Choice = {
  /** As a form has it: "events:" or "from:" and a name. */
  rows: string;
  title: string;
  group: "Events" | "Pulled sources" | "Models" | "Tables";
  /** Where the rows are; absent while there are none. */
  table?: Table;
  /** Of a table that a pulled source fills: how its tables' names begin. */
  source?: string;
};

/** The tables of calls that are no tracks, by the name that inputs have for them. */
const calls: readonly (readonly [name: string, table: string, title: string])[] = [
  ["identify", "identifies", "Who people are (identify)"],
  ["page", "pages", "Pages that were seen"],
  ["screen", "screens", "Screens that were seen"],
  ["group", "groups", "Groups that people are in"],
  ["alias", "aliases", "Ids that follow others (alias)"],
];

/** Tables of every warehouse that say nothing by themselves: tracks are in all events, users are what identify said last. */
const inner = ["tracks", "users", "rudder_discards"];

/** The columns that an input of all events has. */
const ofAll = ["id", "user_id", "anonymous_id", "event", "timestamp", "received_at"];

/** A name as tables have it. */
function snake(name: string): string {
  return name
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "_")
    .replace(/^_+|_+$/g, "");
}

/** Where a warehouse has the tables of events: what its settings say, or where they are. */
function homeOf(document: WorkspaceDocument, warehouse: string, tables: readonly Table[]): string {
  const said = (document.destinations ?? []).find((d) => d.name === warehouse)?.settings?.schema;
  if (typeof said === "string" && said !== "") return said;
  const own = tables.find((t) => t.columns.some((c) => c.name === "uuid_ts") && t.schema !== "profiles");
  return own?.schema ?? "main";
}

/** Everything that an input of profiles on a warehouse can be made of, each once. */
export function choicesOf(document: WorkspaceDocument, warehouse: string, tables: readonly Table[]): Choice[] {
  const home = homeOf(document, warehouse, tables);
  const at = (name: string) => tables.find((t) => t.schema === home && t.name === name);
  const found: Choice[] = [];
  const tracks = at("tracks") ?? at("identifies");
  found.push({
    rows: "events:*",
    title: "All events",
    group: "Events",
    ...(tracks ? { table: { ...tracks, columns: tracks.columns.filter((c) => ofAll.includes(c.name)) } } : {}),
  });
  for (const [name, table, title] of calls) {
    const there = at(table);
    if (there) found.push({ rows: `events:${name}`, title, group: "Events", table: there });
  }
  const connected = new Set(
    (document.connections ?? []).filter((c) => c.destination === warehouse).map((c) => c.source),
  );
  const sources = (document.sources ?? []).filter((s) => s.pull && connected.has(s.name));
  const ownerOf = (table: string) => sources.find((s) => table.startsWith(`${snake(s.name)}_`));
  for (const s of sources)
    for (const stream of s.pull?.streams ?? []) {
      const name = snake(`${s.name}_${stream}`);
      if (at(name)) continue;
      const title = `${s.name}: ${stream} (no rows yet)`;
      found.push({ rows: `from:${name}`, title, group: "Pulled sources", source: snake(s.name) });
    }
  for (const m of (document.models ?? []).filter((x) => x.warehouse === warehouse && x.table)) {
    if (m.table?.startsWith("profiles.")) continue;
    const [schema, name] = m.table?.includes(".") ? (m.table.split(".") as [string, string]) : [home, m.table ?? ""];
    const table = tables.find((t) => t.schema === schema && t.name === name);
    const title = `${m.name} (${m.table})`;
    found.push({ rows: `from:${m.table}`, title, group: "Models", ...(table ? { table } : {}) });
  }
  const plain = new Set([...inner, ...calls.map(([, table]) => table)]);
  for (const t of tables) {
    if (t.schema === "profiles" || (t.schema === home && plain.has(t.name)) || t.schema.includes(".")) continue;
    const rows = `from:${t.schema === home ? t.name : `${t.schema}.${t.name}`}`;
    if (found.some((c) => c.rows === rows)) continue;
    const owner = t.schema === home ? ownerOf(t.name) : undefined;
    if (t.schema === home && t.columns.some((c) => c.name === "event_text"))
      found.push({ rows: `events:${t.name}`, title: t.name.replaceAll("_", " "), group: "Events", table: t });
    else if (owner) {
      const source = snake(owner.name);
      const title = `${owner.name}: ${t.name.slice(source.length + 1).replaceAll("_", " ")}`;
      found.push({ rows, title, group: "Pulled sources", table: t, source });
    } else found.push({ rows, title: rows.slice("from:".length), group: "Tables", table: t });
  }
  return found;
}

/** A table as SQL names it. */
export function named(t: Pick<Table, "schema" | "name">): string {
  return `${quotedName(t.schema)}.${quotedName(t.name)}`;
}
