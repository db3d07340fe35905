import type { ReactNode } from "react";
import { actOn, type Sync } from "../../api/syncs";
import { useWorkspace } from "../../frame/place";
import { Link } from "../../parts/link";
import { Table } from "../../parts/table";
import { When } from "../../parts/when";
import { keys } from "../../queries";
import { count } from "../flow";
import { Act } from "../object/act";
import { State } from "../object/state";
import { quoted } from "../plane-trouble";

type Row = Pick<Sync, "name" | "model" | "destination" | "object"> & { id?: string };

type Props<T extends Row> = {
  rows: readonly T[];
  /** What their plane says of them, as far as it did. */
  live: readonly Sync[] | undefined;
  empty: ReactNode;
  /** What stands beside a name. */
  beside?: (row: T) => ReactNode;
};

/** Syncs with how their last runs ended, which begin when asked. */
export function SyncTable<T extends Row>({ rows, live, empty, beside }: Props<T>) {
  const workspace = useWorkspace();
  const now = (name: string) => live?.find((s) => s.name === name);
  return (
    <Table
      label="Syncs"
      rows={rows}
      keyOf={(s) => s.id ?? s.name}
      text={(s) => `${s.name} ${s.model} ${s.destination} ${s.object}`}
      empty={empty}
      columns={[
        {
          title: "Name",
          by: (s) => s.name.toLowerCase(),
          cell: (s) => (
            <span className="flex flex-wrap items-center gap-2">
              <Link href={workspace.path("syncs", s.name)} look="name">
                {s.name}
              </Link>
              {beside?.(s)}
            </span>
          ),
        },
        {
          title: "From",
          wide: true,
          by: (s) => s.model,
          cell: (s) => <Link href={workspace.path("models", s.model)}>{s.model}</Link>,
        },
        { title: "To", by: (s) => s.destination, cell: (s) => `${s.destination}, ${s.object}` },
        {
          title: "State",
          cell: (s) => {
            const l = now(s.name);
            return l ? <State state={l.state} code={l.run?.code} /> : "–";
          },
        },
        { title: "Taken", right: true, wide: true, cell: (s) => count(now(s.name)?.run?.accepted ?? 0) },
        {
          title: "Refused",
          right: true,
          wide: true,
          cell: (s) => {
            const run = now(s.name)?.run;
            const n = (run?.rejected ?? 0) + (run?.waiting ?? 0) + (run?.invalid ?? 0);
            return <span className={n > 0 ? "text-bad" : ""}>{count(n)}</span>;
          },
        },
        {
          title: "Last run",
          wide: true,
          cell: (s) => {
            const began = now(s.name)?.run?.began;
            return began ? <When at={began} /> : "–";
          },
        },
        {
          title: "",
          right: true,
          cell: (s) =>
            now(s.name) ? (
              <Act
                label="Run now"
                of={s.name}
                act={() => actOn(workspace.name, s.name, "run")}
                command={`weir sync run ${quoted(s.name)} --workspace ${quoted(workspace.name)}`}
                changed={keys.syncs(workspace.name)}
              />
            ) : null,
        },
      ]}
    />
  );
}
