import { useConfigured } from "../../draft/configured";
import { useHere, useWorkspace } from "../../frame/place";
import { Empty } from "../../parts/empty";
import { Icon } from "../../parts/icon";
import { Link } from "../../parts/link";
import { Page } from "../../parts/page";
import { Table } from "../../parts/table";
import { count, ofDestination, rateOf, sum, useFlow } from "../flow";
import { FlowTrouble } from "../flow-trouble";
import { Loaded } from "../loaded";
import { Drafted } from "../object/drafted";
import { specOf, useCatalog } from "../object/kinds";
import { HealthBadge, healthOf, planeOf } from "./health";

/** Where a workspace's events go. */
export function DestinationsPage() {
  const { all } = useHere();
  const workspace = useWorkspace();
  const configured = useConfigured(workspace.name);
  const flow = useFlow(workspace.name);
  const kinds = useCatalog();
  const plane = planeOf(all.planes, workspace);
  const numbers = (name: string) => sum(flow.data, ofDestination(name), "routed");
  const add = (
    <Link href={workspace.path("destinations", "new")} look="strong">
      <Icon name="plus" />
      New destination
    </Link>
  );
  return (
    <Page
      title="Destinations"
      of={workspace.name}
      hint="Where events go, and what waits or failed on the way."
      actions={add}
    >
      {flow.data ? null : <FlowTrouble workspace={workspace.name} flow={flow} />}
      <Loaded query={configured} what="the destinations">
        {(c) => (
          <Table
            label="Destinations"
            rows={c.document.destinations ?? []}
            keyOf={(d) => d.id ?? d.name}
            text={(d) => `${d.name} ${d.type}`}
            empty={
              <Empty title="No destination yet: events are taken and counted, but go nowhere.">
                <p>A destination is a tool, a stream or a warehouse that gets events in the form that it needs.</p>
                {add}
              </Empty>
            }
            columns={[
              {
                title: "Name",
                by: (d) => d.name.toLowerCase(),
                cell: (d) => (
                  <span className="flex flex-wrap items-center gap-2">
                    <Link href={workspace.path("destinations", d.name)} look="name">
                      {d.name}
                    </Link>
                    <Drafted configured={c} kind="destination" name={d.name} />
                  </span>
                ),
              },
              {
                title: "Type",
                by: (d) => d.type,
                wide: true,
                cell: (d) => (
                  <span className="text-soft">{specOf(kinds.data, "destination", d.type)?.title ?? d.type}</span>
                ),
              },
              {
                title: "Health",
                by: (d) => healthOf(d, flow.data && numbers(d.name), plane).word,
                cell: (d) => (
                  <HealthBadge
                    health={healthOf(d, flow.data ? numbers(d.name) : liveCounts(workspace, d.name), plane)}
                  />
                ),
              },
              {
                title: "Now",
                right: true,
                by: (d) => numbers(d.name).rate,
                cell: (d) => rateOf(flow.data, numbers(d.name)),
              },
              {
                title: "Delivered",
                right: true,
                by: (d) => numbers(d.name).delivered,
                cell: (d) => (flow.data ? count(numbers(d.name).delivered) : "–"),
              },
              {
                title: "Waiting",
                right: true,
                wide: true,
                by: (d) => numbers(d.name).parked,
                cell: (d) => (flow.data ? count(numbers(d.name).parked) : "–"),
              },
              {
                title: "Failed",
                right: true,
                by: (d) => numbers(d.name).dead,
                cell: (d) => {
                  const { dead } = numbers(d.name);
                  return dead > 0 ? (
                    <Link href={`${workspace.path("events")}?tab=problems&destination=${encodeURIComponent(d.name)}`}>
                      {count(dead)}
                    </Link>
                  ) : flow.data ? (
                    "0"
                  ) : (
                    "–"
                  );
                },
              },
            ]}
          />
        )}
      </Loaded>
    </Page>
  );
}

/** What the control plane knows while the plane does not say more. */
function liveCounts(workspace: { destinations: { name: string; parked: number; dead: number }[] }, name: string) {
  return workspace.destinations.find((d) => d.name === name);
}
