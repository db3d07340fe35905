import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { type Change, drift } from "../../api/warehouse";
import { Badge } from "../../parts/badge";
import { ago } from "../../parts/time";
import { keys } from "../../queries";
import { PlaneTrouble, quoted } from "../plane-trouble";

type Props = { workspace: string; destination: string };

/** What somebody changed about the tables that loads fill, once somebody wants to see it: it asks the warehouse. */
export function Drift({ workspace, destination }: Props) {
  const [open, setOpen] = useState(false);
  const found = useQuery({
    queryKey: [...keys.loads(workspace, destination), "drift"],
    queryFn: ({ signal }) => drift(workspace, destination, signal),
    enabled: open,
    staleTime: 60_000,
  });
  return (
    <details
      className="rounded-xl border border-line bg-card px-4 py-3 text-sm shadow-xs"
      onToggle={(e) => e.currentTarget === e.target && setOpen(e.currentTarget.open)}
    >
      <summary className="cursor-pointer font-medium">What others changed about tables of {destination}</summary>
      <div className="mt-2 max-h-96 overflow-y-auto">
        {found.isPending && open ? <p className="text-soft">Comparing the tables with what loads expect…</p> : null}
        {found.error ? (
          <PlaneTrouble
            error={found.error}
            what="what others changed"
            command={`weir warehouse drift ${quoted(destination)} --workspace ${quoted(workspace)}`}
            onRetry={() => found.refetch()}
          />
        ) : null}
        {found.data?.length === 0 ? <p className="text-soft">Nobody changed anything.</p> : null}
        <ul className="divide-y divide-line">
          {found.data?.map((c) => (
            <Item key={[c.code, c.table, c.column, c.is, c.at].join(" ")} change={c} />
          ))}
        </ul>
      </div>
    </details>
  );
}

function Item({ change: c }: { change: Change }) {
  return (
    <li className="space-y-1 py-2.5">
      <p className="flex flex-wrap items-center gap-x-3 gap-y-1">
        <code className="font-medium break-all">{c.table}</code>
        {c.held ? <Badge tone="bad">Its events wait</Badge> : null}
        {c.open ? <Badge tone="warn">Since the last load</Badge> : null}
        {c.last ? <span className="text-soft">Met by a load {ago(new Date(c.last), new Date())}</span> : null}
      </p>
      <p className="break-words">{c.says}</p>
      <p className="break-words text-soft">{c.remedy}</p>
    </li>
  );
}
