import { useState } from "react";
import { type Configured, useConfigured } from "../../draft/configured";
import { connectionKey, find } from "../../draft/edits";
import { useHere, useWorkspace } from "../../frame/place";
import { Button } from "../../parts/button";
import { Dialog } from "../../parts/dialog";
import { Empty } from "../../parts/empty";
import { Icon } from "../../parts/icon";
import { Select } from "../../parts/input";
import { Link } from "../../parts/link";
import { Page } from "../../parts/page";
import { go } from "../../parts/path";
import { Table } from "../../parts/table";
import { HealthBadge, healthOf, planeOf } from "../destinations/health";
import { count, ofConnection, perSecond, sum, useFlow } from "../flow";
import { Loaded } from "../loaded";
import { Drafted } from "../object/drafted";

/** Which sources feed which destinations. */
export function ConnectionsPage() {
  const { all } = useHere();
  const workspace = useWorkspace();
  const configured = useConfigured(workspace.name);
  const flow = useFlow(workspace.name);
  const [adding, setAdding] = useState(false);
  const plane = planeOf(all.planes, workspace);
  const add = (
    <Button look="strong" onClick={() => setAdding(true)}>
      <Icon name="plus" />
      Connect
    </Button>
  );
  return (
    <Page
      title="Connections"
      of={workspace.name}
      hint="Which sources feed which destinations, and what happens on the way."
      actions={add}
    >
      <Loaded query={configured} what="the connections">
        {(c) => (
          <>
            <Table
              label="Connections"
              rows={c.document.connections ?? []}
              keyOf={(x) => connectionKey(x.source, x.destination)}
              text={(x) => `${x.source} ${x.destination} ${(x.transformations ?? []).join(" ")}`}
              empty={
                <Empty title="Nothing is connected yet, so events go nowhere.">
                  <p>A connection joins one source to one destination.</p>
                  {add}
                </Empty>
              }
              columns={[
                {
                  title: "Connection",
                  by: (x) => `${x.source} ${x.destination}`.toLowerCase(),
                  cell: (x) => (
                    <span className="flex flex-wrap items-center gap-2">
                      <Link href={workspace.path("connections", x.source, x.destination)} look="name">
                        {x.source} → {x.destination}
                      </Link>
                      <Drafted configured={c} kind="connection" name={connectionKey(x.source, x.destination)} />
                    </span>
                  ),
                },
                {
                  title: "On the way",
                  wide: true,
                  cell: (x) => <span className="text-soft">{onTheWay(x) || "–"}</span>,
                },
                {
                  title: "Destination",
                  wide: true,
                  cell: (x) => {
                    const d = find(c.document, "destination", x.destination);
                    const n = sum(flow.data, ofConnection(x.source, x.destination), "routed");
                    return d ? <HealthBadge health={healthOf(d, flow.data ? n : undefined, plane)} /> : null;
                  },
                },
                {
                  title: "Now",
                  right: true,
                  by: (x) => sum(flow.data, ofConnection(x.source, x.destination), "routed").rate,
                  cell: (x) =>
                    flow.data ? perSecond(sum(flow.data, ofConnection(x.source, x.destination), "routed").rate) : "–",
                },
                {
                  title: "Delivered",
                  right: true,
                  by: (x) => sum(flow.data, ofConnection(x.source, x.destination), "routed").delivered,
                  cell: (x) =>
                    flow.data ? count(sum(flow.data, ofConnection(x.source, x.destination), "routed").delivered) : "–",
                },
                {
                  title: "Failed",
                  right: true,
                  by: (x) => failed(sum(flow.data, ofConnection(x.source, x.destination), "routed")),
                  cell: (x) => {
                    if (!flow.data) return "–";
                    const n = sum(flow.data, ofConnection(x.source, x.destination), "routed");
                    const share = n.routed === 0 ? 0 : (100 * failed(n)) / n.routed;
                    return failed(n) === 0 ? (
                      "0"
                    ) : (
                      <span className="text-bad">{`${count(failed(n))} (${share < 0.1 ? "<0.1" : share.toFixed(1)} %)`}</span>
                    );
                  },
                },
              ]}
            />
            {adding ? <Adding configured={c} onClose={() => setAdding(false)} /> : null}
          </>
        )}
      </Loaded>
    </Page>
  );
}

function failed(n: { dead: number; quarantined: number }): number {
  return n.dead + n.quarantined;
}

type Rules = {
  transformations?: string[] | undefined;
  filter?: string | undefined;
  events?: object | undefined;
  consent?: object | undefined;
};

/** What happens to events on a connection, in a few words. */
function onTheWay(x: Rules): string {
  return [
    ...(x.transformations ?? []),
    x.events ? "only some events" : "",
    x.filter ? "an expression" : "",
    x.consent ? "consent" : "",
  ]
    .filter((s) => s !== "")
    .join(", ");
}

function Adding({ configured, onClose }: { configured: Configured; onClose: () => void }) {
  const workspace = useWorkspace();
  const { document } = configured;
  const [source, setSource] = useState("");
  const [destination, setDestination] = useState("");
  const key = connectionKey(source, destination);
  const taken = find(document, "connection", key) !== undefined;
  const names = (list: { name: string }[] | undefined) => [
    { value: "", title: "Choose…" },
    ...(list ?? []).map((o) => ({ value: o.name, title: o.name })),
  ];
  return (
    <Dialog title="Connect a source to a destination" onClose={onClose}>
      <form
        className="space-y-4"
        onSubmit={(e) => {
          e.preventDefault();
          configured.edit("connection", key, find(configured.published, "connection", key) ?? null, {
            source,
            destination,
          });
          onClose();
          go(workspace.path("connections", source, destination));
        }}
      >
        <Select label="Source" value={source} values={names(document.sources)} onChange={setSource} />
        <Select
          label="Destination"
          value={destination}
          values={names(document.destinations)}
          onChange={setDestination}
          {...(taken ? { problem: "These two are connected already." } : {})}
        />
        <div className="flex gap-2">
          <Button look="strong" type="submit" disabled={source === "" || destination === "" || taken}>
            Add to the draft
          </Button>
          <Button onClick={onClose}>Cancel</Button>
        </div>
      </form>
    </Dialog>
  );
}
