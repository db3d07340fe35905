import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { Button } from "../../parts/button";
import { Command } from "../../parts/command";
import { keys } from "../../queries";
import { PlaneTrouble, quoted as word } from "../plane-trouble";
import { allColumns, quotedName as quoted, tablesIn } from "./tables";

type Props = { workspace: string; destination: string; onLook: (sql: string) => void };

/** The tables of a warehouse with the types of their columns, once somebody wants to see them. */
export function TableTree({ workspace, destination, onLook }: Props) {
  const [open, setOpen] = useState(false);
  const command = `weir query ${word(destination)} ${word(allColumns.replaceAll(/\s+/g, " "))} --workspace ${word(workspace)}`;
  const found = useQuery({
    queryKey: [...keys.loads(workspace, destination), "tables"],
    queryFn: () => tablesIn(workspace, destination),
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
                  <span className="text-xs text-soft">{c.type}</span>
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
