import { useQuery } from "@tanstack/react-query";
import { pastRuns } from "../../api/syncs";
import { Empty } from "../../parts/empty";
import { Table } from "../../parts/table";
import { Waiting } from "../../parts/waiting";
import { When } from "../../parts/when";
import { keys } from "../../queries";
import { count } from "../flow";
import { State } from "../object/state";
import { PlaneTrouble, quoted } from "../plane-trouble";

/** name is the sync's, sync its identifier. */
type Props = { workspace: string; warehouse: string; sync: string; name: string };

/** The runs of a sync that its warehouse keeps. */
export function Runs({ workspace, warehouse, sync, name }: Props) {
  const all = useQuery({
    queryKey: [...keys.syncs(workspace), "runs", sync],
    queryFn: () => pastRuns(workspace, warehouse, sync),
    refetchInterval: 15_000,
  });
  if (all.isPending) return <Waiting what="its runs" />;
  if (all.error && !all.data)
    return (
      <PlaneTrouble
        error={all.error}
        what="its runs"
        command={`weir sync status ${quoted(name)} --workspace ${quoted(workspace)}`}
        onRetry={() => all.refetch()}
      />
    );
  return (
    <Table
      label="Runs"
      rows={all.data ?? []}
      keyOf={(r) => r.id}
      empty={
        <Empty title="It has not run yet.">
          <p>Let it run now, or wait for its schedule.</p>
        </Empty>
      }
      columns={[
        { title: "Began", cell: (r) => <When at={r.began} whole /> },
        { title: "How it ended", cell: (r) => <State state={r.state} code={r.code} /> },
        { title: "Changed rows", right: true, cell: (r) => count(r.planned) },
        { title: "Taken", right: true, wide: true, cell: (r) => count(r.accepted) },
        {
          title: "Refused",
          right: true,
          wide: true,
          cell: (r) => (
            <span className={r.rejected + r.invalid > 0 ? "text-bad" : ""}>{count(r.rejected + r.invalid)}</span>
          ),
        },
        { title: "Took", right: true, wide: true, cell: (r) => took(r.began, r.ended) },
      ]}
    />
  );
}

function took(began: string, ended: string | null): string {
  const ms = ended ? Date.parse(ended) - Date.parse(began) : Number.NaN;
  return Number.isNaN(ms) ? "–" : `${(ms / 1000).toFixed(1)} s`;
}
