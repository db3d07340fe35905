import type { Objects } from "../../draft/edits";

type Model = Objects["model"];

/** What a statement reads rows of a model from. */
export function relation({ table, sql }: Pick<Model, "table" | "sql">): string {
  if (sql) return `(\n${sql.trim().replace(/;+$/, "")}\n)`;
  return (table ?? "")
    .split(".")
    .map((part) => `"${part.replaceAll('"', '""')}"`)
    .join(".");
}

/** Whether there is something to read. */
export function complete(m: Pick<Model, "warehouse" | "table" | "sql" | "audience">): boolean {
  return m.warehouse !== "" && ((m.sql ?? "").trim() !== "" || (m.table ?? "") !== "" || (m.audience ?? "") !== "");
}
