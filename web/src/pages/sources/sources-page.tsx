import { useConfigured } from "../../draft/configured";
import { useWorkspace } from "../../frame/place";
import { Badge } from "../../parts/badge";
import { Empty } from "../../parts/empty";
import { Icon } from "../../parts/icon";
import { Link } from "../../parts/link";
import { Page } from "../../parts/page";
import { Table } from "../../parts/table";
import { count, ofSource, rateOf, sum, useFlow } from "../flow";
import { FlowTrouble } from "../flow-trouble";
import { Loaded } from "../loaded";
import { Drafted } from "../object/drafted";
import { specOf, useCatalog } from "../object/kinds";

/** Where a workspace's events come from. */
export function SourcesPage() {
  const workspace = useWorkspace();
  const configured = useConfigured(workspace.name);
  const flow = useFlow(workspace.name);
  const kinds = useCatalog();
  const add = (
    <Link href={workspace.path("sources", "new")} look="strong">
      <Icon name="plus" />
      New source
    </Link>
  );
  return (
    <Page title="Sources" of={workspace.name} hint="Where events come from." actions={add}>
      {flow.data ? null : <FlowTrouble workspace={workspace.name} flow={flow} />}
      <Loaded query={configured} what="the sources">
        {(c) => (
          <Table
            label="Sources"
            rows={c.document.sources ?? []}
            keyOf={(s) => s.id ?? s.name}
            text={(s) => `${s.name} ${s.type}`}
            empty={
              <Empty title="No source yet, so no events can come in.">
                <p>A source is a website, an app, a server or another system that sends events here.</p>
                {add}
              </Empty>
            }
            columns={[
              {
                title: "Name",
                by: (s) => s.name.toLowerCase(),
                cell: (s) => (
                  <span className="flex flex-wrap items-center gap-2">
                    <Link href={workspace.path("sources", s.name)} look="name">
                      {s.name}
                    </Link>
                    <Drafted configured={c} kind="source" name={s.name} />
                    {s.disabled ? <Badge tone="quiet">Disabled</Badge> : null}
                  </span>
                ),
              },
              {
                title: "Type",
                by: (s) => s.type,
                cell: (s) => <span className="text-soft">{specOf(kinds.data, "source", s.type)?.title ?? s.type}</span>,
              },
              {
                title: "Goes to",
                wide: true,
                cell: (s) => {
                  const to = (c.document.connections ?? []).filter((x) => x.source === s.name);
                  if (to.length === 0) return <span className="text-warn">Nowhere</span>;
                  const names = to.map((x) => x.destination);
                  return (
                    <span className="text-soft">
                      {names.slice(0, 3).join(", ")}
                      {names.length > 3 ? ` and ${names.length - 3} more` : ""}
                    </span>
                  );
                },
              },
              {
                title: "Now",
                right: true,
                by: (s) => sum(flow.data, ofSource(s.name), "accepted").rate,
                cell: (s) => rateOf(flow.data, sum(flow.data, ofSource(s.name), "accepted")),
              },
              {
                title: "Events",
                right: true,
                by: (s) => sum(flow.data, ofSource(s.name), "accepted").accepted,
                cell: (s) => (flow.data ? count(sum(flow.data, ofSource(s.name), "accepted").accepted) : "–"),
              },
            ]}
          />
        )}
      </Loaded>
    </Page>
  );
}
