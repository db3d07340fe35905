import type { ColumnType, Where } from "../../api/profiles";

export type Op =
  | "is"
  | "isNot"
  | "oneOf"
  | "over"
  | "atLeast"
  | "under"
  | "atMost"
  | "contains"
  | "startsWith"
  | "known"
  | "unknown";

/** Comparisons as a form offers them. */
export const ops: { op: Op; title: string; of: readonly ColumnType[] }[] = [
  { op: "is", title: "is", of: ["text", "number", "boolean", "other"] },
  { op: "isNot", title: "is not", of: ["text", "number", "boolean", "other"] },
  { op: "oneOf", title: "is one of", of: ["text", "number", "other"] },
  { op: "atLeast", title: "is at least", of: ["number", "other"] },
  { op: "over", title: "is more than", of: ["number", "other"] },
  { op: "atMost", title: "is at most", of: ["number", "other"] },
  { op: "under", title: "is less than", of: ["number", "other"] },
  { op: "contains", title: "contains", of: ["text", "other"] },
  { op: "startsWith", title: "begins with", of: ["text", "other"] },
  { op: "known", title: "is known", of: ["text", "number", "boolean", "time", "other"] },
  { op: "unknown", title: "is not known", of: ["text", "number", "boolean", "time", "other"] },
];

/** A comparison of a column or a feature, as a form has it. */
export type Comparison = { id: number; what: "compare"; name: string; op: Op; value: string };

/** That somebody has rows of an input, or has none. */
export type Did = {
  id: number;
  what: "did";
  not: boolean;
  input: string;
  last: string;
  times: number;
  where: Comparison[];
};

/** A condition that the form does not show in parts; it stays as it is. */
export type Other = { id: number; what: "other"; where: Where };

export type Row = Comparison | Did | Other;

/** Conditions as a form has them: all of the rows hold, or any. */
export type Conditions = { join: "all" | "any"; rows: Row[] };

let last = 0;

/** A number that names a row of a form. */
export function fresh(): number {
  last += 1;
  return last;
}

export function comparison(name: string, type: ColumnType): Comparison {
  const op: Op = type === "number" ? "atLeast" : type === "time" ? "known" : "is";
  return { id: fresh(), what: "compare", name, op, value: type === "boolean" ? "true" : "" };
}

/** The conditions of a form as the configuration has them; undefined when there are none. */
export function whereOf(
  { join, rows }: Conditions,
  typeOf: (name: string, input: string) => ColumnType,
): Where | undefined {
  const all = rows.map((r) => one(r, typeOf));
  if (all.length === 0) return undefined;
  if (all.length === 1) return all[0];
  if (join === "any") return { any: all };
  const names = all.flatMap((w) => Object.keys(w));
  if (new Set(names).size < names.length) return { all };
  return Object.assign({}, ...all) as Where;
}

/** One row as the configuration has it. */
export function one(r: Row, typeOf: (name: string, input: string) => ColumnType, input = ""): Where {
  if (r.what === "other") return r.where;
  if (r.what === "compare") return { [r.name]: compared(r, typeOf(r.name, input)) };
  const rows = whereOf({ join: "all", rows: r.where }, (name) => typeOf(name, r.input));
  const did: Where = {
    did: r.input,
    ...(rows ? { where: rows } : {}),
    ...(r.last === "" ? {} : { last: r.last }),
    ...(r.times > 1 ? { times: r.times } : {}),
  };
  return r.not ? { not: did } : did;
}

function compared({ op, value }: Comparison, type: ColumnType): unknown {
  switch (op) {
    case "is":
      return scalar(value, type);
    case "isNot":
      return { not: scalar(value, type) };
    case "oneOf":
      return list(value).map((v) => scalar(v, type));
    case "known":
      return { known: true };
    case "unknown":
      return { known: false };
    case "contains":
    case "startsWith":
      return { [op]: value };
    default:
      return { [op]: Number(value) };
  }
}

/** What somebody lists, one beside the other. */
function list(text: string): string[] {
  return text
    .split(",")
    .map((v) => v.trim())
    .filter((v) => v !== "");
}

function scalar(value: string, type: ColumnType): string | number | boolean {
  if (type === "boolean") return value === "true";
  if (type === "number" && value.trim() !== "" && Number.isFinite(Number(value))) return Number(value);
  return value;
}

/** What is wrong with a row; "" for nothing. */
export function wrongRow(r: Row): string {
  if (r.what === "other") return "";
  if (r.what === "did")
    return r.input === "" ? "Choose what they did." : (r.where.map(wrongRow).find((t) => t !== "") ?? "");
  if (r.name === "") return "Choose what is compared.";
  if (r.op === "known" || r.op === "unknown") return "";
  if (r.value.trim() === "") return "Give a value.";
  if (["over", "atLeast", "under", "atMost"].includes(r.op) && !Number.isFinite(Number(r.value)))
    return "Give a number.";
  return "";
}

/** The conditions of a configuration as a form has them. */
export function conditionsOf(where: Where | undefined): Conditions {
  if (!where) return { join: "all", rows: [] };
  const names = Object.keys(where);
  const only = names.length === 1 ? names[0] : "";
  if ((only === "any" || only === "all") && Array.isArray(where[only]))
    return { join: only, rows: where[only].flatMap((w: unknown) => (isWhere(w) ? joined(w) : [])) };
  return { join: "all", rows: rowsOf(where) };
}

/** One member of a list: a row, or one that stays whole when it says several things. */
function joined(where: Where): Row[] {
  const rows = rowsOf(where);
  return rows.length === 1 ? rows : [{ id: fresh(), what: "other", where }];
}

function rowsOf(where: Where): Row[] {
  const { did, where: of, last: within, times, ...rest } = where;
  const rows: Row[] = [];
  if (did !== undefined) {
    const whole: Where = Object.fromEntries(
      Object.entries({ did, where: of, last: within, times }).filter(([, v]) => v !== undefined),
    );
    rows.push(didOf(whole, false) ?? { id: fresh(), what: "other", where: whole });
  }
  for (const [name, value] of Object.entries(rest)) {
    const whole = { [name]: value };
    const known = name === "not" ? (isWhere(value) ? didOf(value, true) : undefined) : comparisonOf(name, value);
    rows.push(known ?? { id: fresh(), what: "other", where: whole });
  }
  return rows;
}

function didOf(where: Where, not: boolean): Did | undefined {
  const { did, where: of, last: within, times, ...rest } = where;
  if (typeof did !== "string" || Object.keys(rest).length > 0) return undefined;
  const rows = isWhere(of) ? rowsOf(of) : [];
  if (!rows.every((r): r is Comparison => r.what === "compare")) return undefined;
  return {
    id: fresh(),
    what: "did",
    not,
    input: did,
    last: typeof within === "string" ? within : "",
    times: typeof times === "number" ? times : 1,
    where: rows,
  };
}

function comparisonOf(name: string, value: unknown): Comparison | undefined {
  if (name === "any" || name === "all") return undefined;
  const row = (op: Op, v: unknown): Comparison => ({ id: fresh(), what: "compare", name, op, value: String(v) });
  if (value === null) return row("unknown", "");
  if (Array.isArray(value))
    return value.some((v) => String(v).includes(",")) ? undefined : row("oneOf", value.join(", "));
  if (typeof value !== "object") return row("is", value);
  const entries = Object.entries(value);
  const [op, v] = entries[0] ?? ["", undefined];
  if (entries.length !== 1) return undefined;
  if (op === "known") return row(v ? "known" : "unknown", "");
  if (op === "not") return typeof v === "object" ? undefined : row("isNot", v);
  return ops.some((o) => o.op === op) ? row(op as Op, v) : undefined;
}

function isWhere(v: unknown): v is Where {
  return typeof v === "object" && v !== null && !Array.isArray(v);
}
