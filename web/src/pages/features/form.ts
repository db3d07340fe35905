import type { ColumnType, Feature } from "../../api/profiles";
import { type Conditions, conditionsOf, whereOf, wrongRow } from "../profiles/conditions";
import { wrongMemberName } from "../profiles/use-member";
import { aggregateOf, aggregates, type Kind } from "../profiles/words";

/** A feature as its form has it. */
export type Form = {
  name: string;
  /** Whether somebody chose the name; else it follows the sentence. */
  named: boolean;
  entity: string;
  kind: Kind;
  input: string;
  column: string;
  /** Where the value is looked for next, as input.column; of the latest alone. */
  others: string[];
  ratio: [string, string];
  sql: string;
  last: string;
  where: Conditions;
};

export function formOf(f: Feature | undefined, input: string): Form {
  const kind = (f && aggregateOf(f)?.kind) ?? "count";
  const given = f?.[kind];
  const [first = "", ...others] = Array.isArray(given) ? given : [given ?? input];
  const dot = first.indexOf(".");
  const rows = kind !== "ratio" && kind !== "sql";
  return {
    name: f?.name ?? "",
    named: f !== undefined,
    entity: f?.entity ?? "",
    kind,
    input: !rows ? input : dot < 0 ? first : first.slice(0, dot),
    column: rows && dot >= 0 ? first.slice(dot + 1) : "",
    others: kind === "latest" ? others : [],
    ratio: [f?.ratio?.[0] ?? "", f?.ratio?.[1] ?? ""],
    sql: f?.sql ?? "",
    last: f?.last ?? "",
    where: conditionsOf(f?.where),
  };
}

export function of(kind: Kind): "rows" | "column" | "features" {
  return aggregates.find((a) => a.kind === kind)?.of ?? "rows";
}

/** The feature that a form describes. */
export function featureOf(form: Form, typeOf: (name: string, input: string) => ColumnType): Feature {
  const { kind, input, column } = form;
  const head = { name: form.name, ...(form.entity === "" ? {} : { entity: form.entity }) };
  if (kind === "sql") return { ...head, sql: form.sql.trim() };
  if (kind === "ratio") return { ...head, ratio: [...form.ratio] };
  const where = whereOf(form.where, (name) => typeOf(name, input));
  const at = `${input}.${column}`;
  return {
    ...head,
    ...(kind === "latest" ? { latest: [at, ...form.others] } : { [kind]: of(kind) === "rows" ? input : at }),
    ...(where ? { where } : {}),
    ...(form.last === "" ? {} : { last: form.last }),
  };
}

/** A name that says what a feature is, such as tickets_7d. */
export function suggested(form: Form, taken: readonly string[]): string {
  const { kind, input, column, last } = form;
  if (of(kind) === "features") return "";
  const before: Partial<Record<Kind, string>> = {
    average: "average",
    min: "least",
    max: "most",
    first: "first",
    mostFrequent: "usual",
    distinct: "different",
    list: "list_of",
    days: "days_with",
    since: "days_since",
    exists: "has",
  };
  const base = [before[kind], of(kind) === "column" ? column : input, last]
    .filter((p) => p)
    .join("_")
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "_")
    .replace(/^[^a-z]+|_+$/g, "")
    .slice(0, 50);
  if (base === "") return "";
  if (!taken.includes(base)) return base;
  for (let n = 2; ; n++) if (!taken.includes(`${base}_${n}`)) return `${base}_${n}`;
}

/** What a form misses, by field; the control plane checks the rest. */
export function missing(form: Form, taken: readonly string[]): Record<string, string> {
  const found: Record<string, string> = {};
  const name = wrongMemberName(form.name, taken);
  if (name) found.name = name;
  const rows = incomplete(form);
  if (rows) found[""] = rows;
  return found;
}

/** Why a form says nothing yet that could be counted; "" when it does. */
export function incomplete(form: Form): string {
  if (form.kind === "sql") return form.sql.trim() === "" ? "Write the formula." : "";
  if (form.kind === "ratio") return form.ratio.includes("") ? "Choose both features." : "";
  if (form.input === "") return "Choose what is counted.";
  if (of(form.kind) === "column" && form.column === "") return "Choose which value it is about.";
  if (/^[mhdw]$/.test(form.last)) return "Say how many days.";
  return form.where.rows.map(wrongRow).find((t) => t !== "") ?? "";
}
