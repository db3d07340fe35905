import { useDeferredValue, useMemo, useState } from "react";
import type { Connection, WorkspaceDocument } from "../../api/client";
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
import { go, useQueryText } from "../../parts/path";
import { type Column, fits, Table } from "../../parts/table";
import { long } from "../../parts/time";
import { type Health, HealthBadge, healthOf, planeOf } from "../destinations/health";
import { count, errorShare, type Flow, flowOn, numbersOn, rateOf, useFlow, waitOf } from "../flow";
import { FlowTrouble } from "../flow-trouble";
import { Loaded } from "../loaded";
import { Drafted } from "../object/drafted";
import { Picture } from "../picture/picture";

/** Which sources feed which destinations: as a picture, and as a table that is searched and sorted. */
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
        {(c) => {
          const connections = c.document.connections ?? [];
          const textOf = textsOf(c);
          const health = (x: Connection) => {
            const d = find(c.document, "destination", x.destination);
            const n = numbersOn(flow.data, x.source, x.destination);
            return d && healthOf(d, flow.data ? n : undefined, plane);
          };
          return (
            <>
              {flow.data ? null : <FlowTrouble workspace={workspace.name} flow={flow} />}
              {connections.length > 0 ? (
                <Found document={c.document} connections={connections} textOf={textOf} flow={flow.data} />
              ) : null}
              <Table
                label="Connections"
                rows={connections}
                keyOf={(x) => connectionKey(x.source, x.destination)}
                text={textOf}
                empty={
                  <Empty title="Nothing is connected yet, so events go nowhere.">
                    <p>A connection joins one source to one destination.</p>
                    {add}
                  </Empty>
                }
                columns={columnsOf(c, flow.data, health, workspace.path)}
              />
              {adding ? <Adding configured={c} onClose={() => setAdding(false)} /> : null}
            </>
          );
        }}
      </Loaded>
    </Page>
  );
}

type FoundProps = {
  document: WorkspaceDocument;
  connections: readonly Connection[];
  textOf: (x: Connection) => string;
  flow: Flow | undefined;
};

/** The picture of what the search below it finds; it follows who types, and does not hold them up. */
function Found({ document, connections, textOf, flow }: FoundProps) {
  const wanted = useDeferredValue(new URLSearchParams(useQueryText()).get("q") ?? "");
  const picture = useMemo(() => {
    const drawn = connections.filter((x) => fits(textOf(x), wanted));
    return (
      <Picture document={document} connections={drawn} flow={flow}>
        {drawn.length < connections.length ? "It shows what the search below finds." : null}
      </Picture>
    );
  }, [document, connections, textOf, wanted, flow]);
  return picture;
}

/** What a search looks at: the names at both ends, their kinds, and the transformations. */
function textsOf({ document }: Configured): (x: Connection) => string {
  const types = (list: readonly { name: string; type: string }[] = []) => new Map(list.map((o) => [o.name, o.type]));
  const [sources, destinations] = [types(document.sources), types(document.destinations)];
  return (x) =>
    [
      x.source,
      sources.get(x.source),
      x.destination,
      destinations.get(x.destination),
      ...(x.transformations ?? []),
    ].join(" ");
}

function columnsOf(
  c: Configured,
  flow: Flow | undefined,
  health: (x: Connection) => Health | undefined,
  path: (...parts: string[]) => string,
): Column<Connection>[] {
  const numbers = (x: Connection) => numbersOn(flow, x.source, x.destination);
  const wait = (x: Connection) => waitOf(flowOn(flow, x.source, x.destination), () => true);
  const oldest = (x: Connection) => {
    const seconds = wait(x);
    return seconds === undefined || seconds < shownFrom ? "–" : long(seconds);
  };
  return [
    {
      title: "Connection",
      by: (x) => `${x.source} ${x.destination}`.toLowerCase(),
      cell: (x) => (
        <span className="flex min-w-36 flex-wrap items-center gap-x-2 gap-y-1">
          <Link href={path("connections", x.source, x.destination)} look="name">
            {x.source} → {x.destination}
          </Link>
          <Drafted configured={c} kind="connection" name={connectionKey(x.source, x.destination)} />
        </span>
      ),
    },
    {
      title: "Transformations",
      wide: true,
      by: (x) => (x.transformations ?? []).length,
      cell: (x) => <span className="text-soft">{onTheWay(x) || "–"}</span>,
    },
    {
      title: "Destination",
      wide: true,
      by: (x) => health(x)?.word ?? "",
      cell: (x) => {
        const now = health(x);
        return now ? <HealthBadge health={now} /> : null;
      },
    },
    {
      title: "Rate",
      right: true,
      by: (x) => numbers(x).rate,
      cell: (x) => rateOf(flow, numbers(x)),
    },
    {
      title: "Delivered",
      right: true,
      wide: true,
      by: (x) => numbers(x).delivered,
      cell: (x) => (flow ? count(numbers(x).delivered) : "–"),
    },
    {
      title: "Errors",
      right: true,
      by: (x) => {
        const n = numbers(x);
        return n.routed + n.added === 0 ? -1 : (n.dead + n.quarantined) / (n.routed + n.added);
      },
      cell: (x) => {
        const n = numbers(x);
        const lost = n.dead + n.quarantined;
        if (lost === 0) return errorShare(n) || "–";
        return (
          <Link
            href={`${path("connections", x.source, x.destination)}?tab=events`}
            look="plain"
            className="text-bad underline underline-offset-2"
            title={`${count(lost)} failed for good or are quarantined`}
          >
            {errorShare(n)}
          </Link>
        );
      },
    },
    {
      title: "Oldest waiting",
      right: true,
      by: (x) => wait(x) ?? -1,
      cell: (x) => (
        <span className={oldest(x) === "–" ? "text-soft" : "text-warn"} title="Of what waits for the destination">
          {oldest(x)}
        </span>
      ),
    },
  ];
}

const shownFrom = 2; // s; what is on its way for less does not wait

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
