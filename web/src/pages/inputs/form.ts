import { wrongMemberName } from "../profiles/use-member";
import type { Profile } from "../profiles/use-set";

export type Input = Profile["inputs"][number];
export type Entity = Profile["entities"][number];

/** That a column holds identifiers of a type. */
export type Pair = { type: string; column: string };

/** What columns are: which has times, which names a row, and which are identifiers. */
export type Columns = { at: string; changed: string; known: string; row: string; ids: Pair[] };

/** An input as its form has it; what nobody chose follows what the rows look like. */
export type Form = Partial<Columns> & {
  name?: string;
  /** Which rows: "events:" or "from:" and a name; "" before one chose. */
  rows: string;
};

export function rowsOf(i: Pick<Input, "events" | "from">): string {
  return i.events !== undefined ? `events:${i.events}` : `from:${i.from ?? ""}`;
}

/** Whether the rows are events, and which ones or which table. */
export function parted(rows: string): { events: boolean; name: string } {
  const [kind = "", name = ""] = rows.split(/:(.*)/s);
  return { events: kind === "events", name };
}

/** The types of identifiers that columns can have: those of persons of other entities are no column's. */
export function typesOf(entities: readonly Entity[]): string[] {
  return [...new Set(entities.flatMap((e) => e.ids.filter((t) => t.of === undefined).map((t) => t.name)))];
}

/** The form of an input. ids that it does not say are the columns with the names of types, which only the warehouse knows. */
export function formOf(i: Input): Form {
  return {
    name: i.name,
    rows: rowsOf(i),
    at: i.at ?? "",
    changed: i.changed ?? "",
    known: i.known ?? "",
    row: i.row ?? "",
    ...(i.ids ? { ids: Object.entries(i.ids).map(([type, column]) => ({ type, column: String(column) })) } : {}),
  };
}

/** The input that a form describes. columns are those of the rows, undefined when nobody knows them. */
export function inputOf(
  name: string,
  rows: string,
  c: Columns,
  types: readonly string[],
  columns: readonly string[] | undefined,
): Input {
  const of = parted(rows);
  const known = c.known === "" ? {} : { known: c.known };
  const ids = byName(c.ids, types, columns) ? {} : { ids: Object.fromEntries(c.ids.map((p) => [p.type, p.column])) };
  if (of.events) return { name, events: of.name, ...known, ...ids };
  return {
    name,
    from: of.name,
    at: c.at,
    ...(c.changed === "" ? {} : { changed: c.changed }),
    ...known,
    ...(c.row === "" || c.row === "id" ? {} : { row: c.row }),
    ...ids,
  };
}

/** Whether identifiers are just the columns with the names of types, which an input need not say. */
function byName(ids: readonly Pair[], types: readonly string[], columns: readonly string[] | undefined): boolean {
  if (ids.length === 0) return true;
  if (ids.some((p) => p.type !== p.column)) return false;
  const there = types.filter((t) => columns?.includes(t));
  return columns !== undefined && there.length === ids.length && there.every((t) => ids.some((p) => p.type === t));
}

/** A name that says what rows are, such as tickets for zendesk_tickets. */
export function suggested(rows: string, source: string, taken: readonly string[]): string {
  const { events, name } = parted(rows);
  const special: Record<string, string> = { "*": "events", identify: "traits" };
  let base = (events ? (special[name] ?? name) : (name.split(".").at(-1) ?? "")).toLowerCase();
  if (source !== "" && base.startsWith(`${source}_`)) base = base.slice(source.length + 1);
  base = base
    .replace(/[^a-z0-9]+/g, "_")
    .replace(/^[^a-z]+|_+$/g, "")
    .slice(0, 36);
  if (base === "") return "";
  for (let n = 1; ; n++) {
    const next = n === 1 ? base : `${base}_${n}`;
    if (!taken.includes(next)) return next;
  }
}

/** What a form misses, by field; the control plane checks the rest. */
export function missing(
  i: { name: string; rows: string } & Columns,
  taken: readonly string[],
  types: readonly string[],
): Record<string, string> {
  const found: Record<string, string> = {};
  if (parted(i.rows).name === "") return { rows: "Choose the rows." };
  const name = wrongMemberName(i.name, taken);
  if (name) found.name = name;
  if (!parted(i.rows).events && i.at === "") found.at = "Say which column has the time of a row.";
  if (i.ids.length === 0) found.ids = "Say which column is an identifier: rows without one belong to nobody.";
  for (const p of i.ids)
    if (!types.includes(p.type)) {
      const wrong = wrongMemberName(p.type, []);
      if (wrong) found[`ids.${p.column}`] = wrong;
    }
  return found;
}

/** A profile with further types of identifiers of its first entity: before devices, which are the weakest. */
export function withTypes(p: Profile, fresh: readonly string[]): Profile {
  if (fresh.length === 0) return p;
  const [first, ...rest] = p.entities;
  if (!first) return p;
  const at = first.ids.findIndex((t) => /anonymous|device|cookie/.test(t.name));
  const ids = [...first.ids];
  ids.splice(at < 0 ? ids.length : at, 0, ...fresh.map((name) => ({ name })));
  return { ...p, entities: [{ ...first, ids }, ...rest] };
}
