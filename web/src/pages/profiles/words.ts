import type { Feature } from "../../api/profiles";

export type Kind =
  | "count"
  | "sum"
  | "average"
  | "min"
  | "max"
  | "first"
  | "latest"
  | "mostFrequent"
  | "distinct"
  | "list"
  | "days"
  | "exists"
  | "since"
  | "ratio"
  | "sql";

type Aggregate = {
  kind: Kind;
  /** How a sentence begins. */
  begins: string;
  /** Whether it is of a column, of whole rows, or of other features. */
  of: "rows" | "column" | "features";
  /** What its values are; absent when they are the column's. */
  gives?: "number" | "boolean" | "text";
};

/** What a feature may be, in the order in which a form offers it. */
export const aggregates: Aggregate[] = [
  { kind: "count", begins: "Count of", of: "rows", gives: "number" },
  { kind: "sum", begins: "Sum of", of: "column", gives: "number" },
  { kind: "average", begins: "Average of", of: "column", gives: "number" },
  { kind: "latest", begins: "Latest", of: "column" },
  { kind: "first", begins: "First", of: "column" },
  { kind: "mostFrequent", begins: "Most frequent", of: "column" },
  { kind: "min", begins: "Smallest", of: "column" },
  { kind: "max", begins: "Largest", of: "column" },
  { kind: "distinct", begins: "Number of different", of: "column", gives: "number" },
  { kind: "list", begins: "List of different", of: "column", gives: "text" },
  { kind: "days", begins: "Number of days with", of: "rows", gives: "number" },
  { kind: "since", begins: "Days since the last of", of: "rows", gives: "number" },
  { kind: "exists", begins: "Whether there are", of: "rows", gives: "boolean" },
  { kind: "ratio", begins: "One feature divided by another", of: "features", gives: "number" },
  { kind: "sql", begins: "A formula of features", of: "features" },
];

export function aggregateOf(f: Feature): Aggregate | undefined {
  return aggregates.find((a) => f[a.kind] !== undefined);
}

const units: Record<string, [one: string, many: string]> = {
  m: ["minute", "minutes"],
  h: ["hour", "hours"],
  d: ["day", "days"],
  w: ["week", "weeks"],
};

/** A time such as 7d in words: "7 days". */
export function timeText(last: string): string {
  const [, n, unit] = /^(\d+)([mhdw])$/.exec(last) ?? [];
  const names = units[unit ?? ""];
  return names ? `${n} ${n === "1" ? names[0] : names[1]}` : last;
}

/** A name of a column or feature as people read it. */
export function plain(name: string): string {
  return name.replaceAll("_", " ");
}

/** A feature in one sentence. */
export function featureText(f: Feature): string {
  const a = aggregateOf(f);
  if (!a) return "Nothing";
  if (a.kind === "sql") return `Formula: ${f.sql}`;
  if (a.kind === "ratio") return `${plain(f.ratio?.[0] ?? "")} divided by ${plain(f.ratio?.[1] ?? "")}`;
  const given = f[a.kind];
  const of = (Array.isArray(given) ? given : [given ?? ""]).map((s) => {
    const [input = "", column] = s.split(".");
    return column === undefined ? plain(input) : `${plain(column)} of ${plain(input)}`;
  });
  const last = f.last ? ` in the last ${timeText(f.last)}` : "";
  const where = f.where && Object.keys(f.where).length > 0 ? ` where ${whereText(f.where)}` : "";
  return `${a.begins} ${of.join(", else ")}${last}${where}`;
}

const comparisons: Record<string, string> = {
  over: "is more than",
  atLeast: "is at least",
  under: "is less than",
  atMost: "is at most",
  contains: "contains",
  startsWith: "begins with",
};

/** Conditions in words. */
export function whereText(where: unknown, join = " and "): string {
  if (typeof where !== "object" || where === null) return "";
  const { did, where: rows, last, times, ...rest } = where as Record<string, unknown>;
  const parts: string[] = [];
  if (typeof did === "string") {
    const often = typeof times === "number" && times > 1 ? ` at least ${times} times` : "";
    const when = typeof last === "string" ? ` in the last ${timeText(last)}` : "";
    const of = rows ? ` where ${whereText(rows)}` : "";
    parts.push(`has ${plain(did)}${often}${when}${of}`);
  }
  for (const [name, value] of Object.entries(rest)) {
    if (name === "not") parts.push(`not (${whereText(value)})`);
    else if (name === "any" || name === "all") {
      const list = (Array.isArray(value) ? value : []).map((v) => whereText(v)).filter((t) => t !== "");
      parts.push(list.join(name === "any" ? " or " : " and "));
    } else parts.push(comparisonText(plain(name), value));
  }
  return parts.join(join);
}

function comparisonText(name: string, value: unknown): string {
  if (value === null) return `${name} is not known`;
  if (Array.isArray(value)) return `${name} is one of ${value.join(", ")}`;
  if (typeof value === "boolean") return value ? `${name} is true` : `${name} is false`;
  if (typeof value !== "object") return `${name} is ${String(value)}`;
  return Object.entries(value)
    .map(([op, v]) => {
      if (op === "known") return v ? `${name} is known` : `${name} is not known`;
      if (op === "not") return Array.isArray(v) ? `${name} is none of ${v.join(", ")}` : `${name} is not ${String(v)}`;
      return `${name} ${comparisons[op] ?? op} ${String(v)}`;
    })
    .join(" and ");
}
