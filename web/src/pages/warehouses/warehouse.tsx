import { useQuery } from "@tanstack/react-query";
import type { Destination } from "../../api/client";
import { loads } from "../../api/warehouse";
import { Badge } from "../../parts/badge";
import { Empty } from "../../parts/empty";
import { Section } from "../../parts/section";
import { ago } from "../../parts/time";
import { Waiting } from "../../parts/waiting";
import { keys } from "../../queries";
import { PlaneTrouble, quoted } from "../plane-trouble";
import { Backfilled } from "./backfill";
import { ConnectionTest } from "./connection-test";
import { Drift } from "./drift";
import { asked } from "./kinds";
import { LoadNow } from "./load-now";
import { Loads } from "./loads";
import { SqlBox } from "./sql-box";

const refreshEvery = 5000; // ms

/** One warehouse: how fresh it is, its loads, a test of the way to it, and SQL. */
export function Warehouse({ workspace, destination: d }: { workspace: string; destination: Destination }) {
  const all = useQuery({
    queryKey: keys.loads(workspace, d.name),
    queryFn: ({ signal }) => loads(workspace, d.name, signal),
    refetchInterval: refreshEvery,
  });
  const newest = all.data?.find((l) => l.state === "done");
  return (
    <Section title={d.name} hint={d.type}>
      <div className="flex min-h-6 flex-wrap items-center gap-3">
        {d.disabled ? <Badge tone="quiet">Disabled</Badge> : null}
        {newest ? (
          <Badge tone="good">Last loaded {ago(new Date(newest.at), new Date())}</Badge>
        ) : all.data ? (
          <Badge tone="quiet">Nothing loaded yet</Badge>
        ) : null}
      </div>
      <div className="flex flex-wrap items-start gap-3 *:w-auto">
        <ConnectionTest workspace={workspace} destination={d.name} />
        {d.disabled ? null : <LoadNow workspace={workspace} destination={d.name} />}
      </div>
      {all.isPending ? <Waiting what={`the loads of ${d.name}`} /> : null}
      {all.error ? (
        <PlaneTrouble
          error={all.error}
          what={`the loads of ${d.name}`}
          command={`weir tail --workspace ${quoted(workspace)} --destination ${quoted(d.name)} --stage load`}
          onRetry={() => all.refetch()}
        />
      ) : null}
      {all.data?.length === 0 ? (
        <Empty title="No load yet.">
          <p>Send an event to a source that is connected to {d.name}; it is loaded within its syncEvery.</p>
        </Empty>
      ) : null}
      {all.data && all.data.length > 0 ? <Loads loads={all.data} name={d.name} /> : null}
      {all.data ? <Backfilled workspace={workspace} destination={d.name} /> : null}
      {asked(d.type) ? null : (
        <p className="text-sm text-soft">
          Its rows are Parquet files. Query them where your lake is read; the page of its kind has the SQL.
        </p>
      )}
      {all.isPending || !asked(d.type) ? null : (
        <>
          <Drift workspace={workspace} destination={d.name} />
          <SqlBox workspace={workspace} destination={d.name} example={newest?.tables[0] ?? "tracks"} />
        </>
      )}
    </Section>
  );
}
