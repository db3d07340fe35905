import { query } from "../../api/warehouse";

export type Table = { schema: string; name: string; columns: { name: string; type: string }[] };

const most = 20_000; // columns of all tables together

/** The statement that reads the columns of all tables. */
export const allColumns = `select table_schema, table_name, column_name, data_type from information_schema.columns
where lower(table_schema) not in ('information_schema', 'pg_catalog', 'mysql', 'sys', 'performance_schema')
order by table_schema, table_name, ordinal_position`;

/** The tables of a warehouse with the types of their columns, in lower case. */
export async function tablesIn(workspace: string, destination: string): Promise<Table[]> {
  return tablesOf((await query(workspace, destination, allColumns, most)).rows);
}

/** A name as SQL needs it: plain where it may be. */
export function quotedName(name: string): string {
  return /^[a-z_][a-z0-9_]*$/.test(name) ? name : `"${name.replaceAll('"', '""')}"`;
}

/** Rows of columns, by table; some databases answer with names in capitals. */
function tablesOf(rows: Record<string, unknown>[]): Table[] {
  const tables = new Map<string, Table>();
  for (const row of rows) {
    const r = Object.fromEntries(Object.entries(row).map(([k, v]) => [k.toLowerCase(), String(v ?? "")]));
    const [schema = "", name = ""] = [r.table_schema, r.table_name];
    const table = tables.get(`${schema}.${name}`) ?? { schema, name, columns: [] };
    table.columns.push({ name: r.column_name ?? "", type: (r.data_type ?? "").toLowerCase() });
    tables.set(`${schema}.${name}`, table);
  }
  return [...tables.values()];
}
