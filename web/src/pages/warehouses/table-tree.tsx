import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { query } from "../../api/warehouse";
import { Button } from "../../parts/button";
import { Command } from "../../parts/command";
import { keys } from "../../queries";
import { PlaneTrouble, quoted as word } from "../plane-trouble";

type Props = { workspace: string; destination: string; onLook: (sql: string) => void };

type Table = { schema: string; name: string; columns: { name: string; type: string }[] };

const most = 20_000; // columns of all tables together

const all = `select table_schema, table_name, column_name, data_type from information_schema.columns
where lower(table_schema) not in ('information_schema', 'pg_catalog', 'mysql', 'sys', 'performance_schema')
order by table_schema, table_name, ordinal_position`;

/** The tables of a warehouse with the types of their columns, once somebody wants to see them. */
export function TableTree({ workspace, destination, onLook }: Props) {
  const [open, setOpen] = useState(false);
  const command = `weir query ${word(destination)} ${word(all.replaceAll(/\s+/g, " "))} --workspace ${word(workspace)}`;
  const found = useQuery({
    queryKey: [...keys.loads(workspace, destination), "tables"],
    queryFn: async () => tablesOf((await query(workspace, destination, all, most)).rows),
    enabled: open,
    staleTime: 60_000,
  });
  return (
    <details
      className="rounded-xl border border-line bg-card px-4 py-3 text-sm shadow-xs"
      onToggle={(e) => e.currentTarget === e.target && setOpen(e.currentTarget.open)}
    >
      <summary className="cursor-pointer font-medium">Tables of {destination}</summary>
      <div className="mt-2 max-h-96 space-y-1 overflow-y-auto">
        {found.isPending && open ? <p className="text-soft">Asking the warehouse…</p> : null}
        {found.error ? (
          <PlaneTrouble error={found.error} what="its tables" command={command} onRetry={() => found.refetch()} />
        ) : null}
        {found.data?.length === 0 ? (
          <p className="text-soft">There is no table yet: the first load makes them.</p>
        ) : null}
        {found.data?.map((t) => (
          <details key={`${t.schema}.${t.name}`}>
            <summary className="cursor-pointer py-0.5 break-all">
              <span className="text-soft">{t.schema}.</span>
              {t.name}
            </summary>
            <ul className="mb-2 ml-2 space-y-0.5 border-l border-line pl-3">
              {t.columns.map((c) => (
                <li key={c.name} className="flex flex-wrap justify-between gap-x-3">
                  <code className="text-xs break-all">{c.name}</code>
                  <span className="text-xs text-soft">{c.type.toLowerCase()}</span>
                </li>
              ))}
              <li className="pt-1">
                <Button onClick={() => onLook(`select * from ${quoted(t.schema)}.${quoted(t.name)} limit 20`)}>
                  Look at 20 rows <span className="sr-only">of {t.name}</span>
                </Button>
              </li>
            </ul>
          </details>
        ))}
      </div>
      {found.data ? (
        <details className="mt-2">
          <summary className="cursor-pointer text-soft">The same in a terminal</summary>
          <div className="pt-2">
            <Command text={command} name="the command that lists the tables" />
          </div>
        </details>
      ) : null}
    </details>
  );
}

/** A name as SQL needs it: plain where it may be. */
function quoted(name: string): string {
  return /^[a-z_][a-z0-9_]*$/.test(name) ? name : `"${name.replaceAll('"', '""')}"`;
}

/** Rows of columns, by table; some databases answer with names in capitals. */
function tablesOf(rows: Record<string, unknown>[]): Table[] {
  const tables = new Map<string, Table>();
  for (const row of rows) {
    const r = Object.fromEntries(Object.entries(row).map(([k, v]) => [k.toLowerCase(), String(v ?? "")]));
    const [schema = "", name = ""] = [r.table_schema, r.table_name];
    const table = tables.get(`${schema}.${name}`) ?? { schema, name, columns: [] };
    table.columns.push({ name: r.column_name ?? "", type: r.data_type ?? "" });
    tables.set(`${schema}.${name}`, table);
  }
  return [...tables.values()];
}
