import { useQuery } from "@tanstack/react-query";
import { actOn, syncs } from "../../api/syncs";
import { useConfigured } from "../../draft/configured";
import { useWorkspace } from "../../frame/place";
import { Empty } from "../../parts/empty";
import { Icon } from "../../parts/icon";
import { Link } from "../../parts/link";
import { Page } from "../../parts/page";
import { Table } from "../../parts/table";
import { When } from "../../parts/when";
import { keys } from "../../queries";
import { count } from "../flow";
import { Loaded } from "../loaded";
import { Act } from "../object/act";
import { Drafted } from "../object/drafted";
import { State } from "../object/state";
import { PlaneTrouble, quoted } from "../plane-trouble";

const refreshEvery = 5000; // ms

/** The syncs of a workspace, and how their last runs ended. */
export function SyncsPage() {
  const workspace = useWorkspace();
  const configured = useConfigured(workspace.name);
  const live = useQuery({
    queryKey: keys.syncs(workspace.name),
    queryFn: ({ signal }) => syncs(workspace.name, signal),
    refetchInterval: refreshEvery,
  });
  const add = (
    <Link href={workspace.path("syncs", "new")} look="strong">
      <Icon name="plus" />
      New sync
    </Link>
  );
  const now = (name: string) => live.data?.find((s) => s.name === name);
  return (
    <Page
      title="Syncs"
      of={workspace.name}
      hint="Each keeps the rows of a model as records in a tool, and sends only what changed."
      actions={add}
    >
      {live.error ? (
        <PlaneTrouble
          error={live.error}
          command={`weir sync list --workspace ${quoted(workspace.name)}`}
          onRetry={() => live.refetch()}
        />
      ) : null}
      <Loaded query={configured} what="the syncs">
        {(c) => (
          <Table
            label="Syncs"
            rows={c.document.syncs ?? []}
            keyOf={(s) => s.id ?? s.name}
            text={(s) => `${s.name} ${s.model} ${s.destination} ${s.object}`}
            empty={
              <Empty title="No sync yet.">
                <p>A sync keeps the rows of a table or query in a tool, and sends what changed.</p>
                {add}
              </Empty>
            }
            columns={[
              {
                title: "Name",
                by: (s) => s.name.toLowerCase(),
                cell: (s) => (
                  <span className="flex flex-wrap items-center gap-2">
                    <Link href={workspace.path("syncs", s.name)} look="name">
                      {s.name}
                    </Link>
                    <Drafted configured={c} kind="sync" name={s.name} />
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
                  return l ? <State state={l.state} /> : "–";
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
                      changed={keys.syncs(workspace.name)}
                    />
                  ) : null,
              },
            ]}
          />
        )}
      </Loaded>
    </Page>
  );
}
