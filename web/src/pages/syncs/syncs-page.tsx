import { useQuery } from "@tanstack/react-query";
import { syncs } from "../../api/syncs";
import { useConfigured } from "../../draft/configured";
import { useWorkspace } from "../../frame/place";
import { Empty } from "../../parts/empty";
import { Icon } from "../../parts/icon";
import { Link } from "../../parts/link";
import { Page } from "../../parts/page";
import { keys } from "../../queries";
import { Loaded } from "../loaded";
import { Drafted } from "../object/drafted";
import { PlaneTrouble, quoted } from "../plane-trouble";
import { SyncTable } from "./sync-table";

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
          what="how they run"
          command={`weir sync list --workspace ${quoted(workspace.name)}`}
          onRetry={() => live.refetch()}
        />
      ) : null}
      <Loaded query={configured} what="the syncs">
        {(c) => (
          <SyncTable
            rows={c.document.syncs ?? []}
            live={live.data}
            beside={(s) => <Drafted configured={c} kind="sync" name={s.name} />}
            empty={
              <Empty title="No sync yet.">
                <p>A sync keeps the rows of a table or query in a tool, and sends what changed.</p>
                {add}
              </Empty>
            }
          />
        )}
      </Loaded>
    </Page>
  );
}
