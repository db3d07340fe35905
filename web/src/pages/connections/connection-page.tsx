import { useParams } from "@tanstack/react-router";
import { type Configured, useConfigured } from "../../draft/configured";
import { connectionKey, find } from "../../draft/edits";
import { useHere, useWorkspace } from "../../frame/place";
import { Button } from "../../parts/button";
import { Link } from "../../parts/link";
import { Notice } from "../../parts/notice";
import { Page } from "../../parts/page";
import { go } from "../../parts/path";
import { UrlTabs } from "../../parts/url-tabs";
import { AccessOf } from "../access/access-of";
import { HealthBadge, healthOf, planeOf } from "../destinations/health";
import { count, type Numbers, ofConnection, perSecond, sum, useFlow } from "../flow";
import { HistoryOf } from "../history/history-of";
import { reason } from "../live/reasons";
import { Loaded } from "../loaded";
import { Drafted } from "../object/drafted";
import { Stats } from "../object/stats";
import { Rules } from "./rules";

/** One connection: what goes through, what it takes, what happens on the way. */
export function ConnectionPage() {
  const { source = "", destination = "" } = useParams({ strict: false });
  const workspace = useWorkspace();
  const configured = useConfigured(workspace.name);
  const up = { href: workspace.path("connections"), title: "Connections" };
  const title = `${source} → ${destination}`;
  return (
    <Loaded query={configured} what="the connection">
      {(c) =>
        find(c.document, "connection", connectionKey(source, destination)) ? (
          <Connection key={title} configured={c} source={source} destination={destination} />
        ) : (
          <Page title={title} up={up}>
            <Notice tone="warn" title={`${source} and ${destination} are not connected in ${workspace.name}.`}>
              <Link href={up.href}>To the connections</Link>
            </Notice>
          </Page>
        )
      }
    </Loaded>
  );
}

function Connection({
  configured,
  source,
  destination,
}: {
  configured: Configured;
  source: string;
  destination: string;
}) {
  const { all } = useHere();
  const workspace = useWorkspace();
  const flow = useFlow(workspace.name);
  const key = connectionKey(source, destination);
  const connection = find(configured.document, "connection", key);
  if (!connection) return null;
  const numbers = sum(flow.data, ofConnection(source, destination), "routed");
  const d = find(configured.document, "destination", destination);
  const dropped = flow.data?.rows.find(ofConnection(source, destination))?.dropped ?? {};
  const base = configured.draft.edits.find((e) => e.kind === "connection" && e.key === key);
  const published = base ? base.base : (find(configured.published, "connection", key) ?? null);
  return (
    <Page
      title={`${source} → ${destination}`}
      up={{ href: workspace.path("connections"), title: "Connections" }}
      of={`Connections · ${workspace.name}`}
      beside={
        <>
          {d ? (
            <HealthBadge health={healthOf(d, flow.data ? numbers : undefined, planeOf(all.planes, workspace))} />
          ) : null}
          <Drafted configured={configured} kind="connection" name={key} />
        </>
      }
      actions={
        <Button
          onClick={() => {
            configured.edit("connection", key, published, null);
            go(workspace.path("connections"));
          }}
        >
          Disconnect
        </Button>
      }
    >
      <UrlTabs
        label="Parts of the connection"
        tabs={[
          {
            name: "Health",
            panel: (
              <div className="space-y-5">
                {flow.error ? (
                  <p className="text-sm text-soft">Its plane does not say what went through: {flow.error.message}</p>
                ) : null}
                {flow.error && !flow.data ? null : <Book numbers={numbers} known={flow.data !== undefined} />}
                {Object.keys(dropped).length > 0 ? (
                  <ul className="max-w-xl divide-y divide-line rounded-xl border border-line bg-card text-sm">
                    {Object.entries(dropped).map(([code, n]) => (
                      <li key={code} className="flex gap-4 px-4 py-2.5">
                        <span>Not sent: {reason(code)}</span>
                        <span className="ml-auto tabular-nums">{count(n)}</span>
                      </li>
                    ))}
                  </ul>
                ) : null}
                <p className="flex flex-wrap gap-x-5 gap-y-1 text-sm">
                  <Link
                    href={`${workspace.path("events")}?source=${encodeURIComponent(source)}&destination=${encodeURIComponent(destination)}`}
                  >
                    Watch its events
                  </Link>
                  <Link href={workspace.path("sources", source)}>Source {source}</Link>
                  <Link href={workspace.path("destinations", destination)}>Destination {destination}</Link>
                </p>
              </div>
            ),
          },
          {
            name: "Rules and code",
            panel: <Rules configured={configured} connection={connection} published={published} />,
          },
          { name: "History", panel: <HistoryOf kind="connection" name={key} /> },
          {
            name: "Access",
            panel: (
              <AccessOf
                kind="connection"
                name={key}
                id={undefined}
                note="A connection joins two objects, and whoever may change all of the workspace changes it: no role is given on it alone."
              />
            ),
          },
        ]}
      />
    </Page>
  );
}

/** What went in, and where all of it is. */
function Book({ numbers: n, known }: { numbers: Numbers; known: boolean }) {
  const said = (value: number) => (known ? count(value) : "…");
  return (
    <Stats
      stats={[
        { title: "Now", value: known ? perSecond(n.rate) : "…" },
        { title: "Came in", value: said(n.routed + n.added) },
        { title: "Delivered", value: said(n.delivered), tone: "good" },
        { title: "Not sent by rules", value: said(n.dropped) },
        { title: "Waiting", value: said(n.parked + n.staged + n.inFlight), tone: n.parked > 0 ? "warn" : "plain" },
        { title: "Quarantined", value: said(n.quarantined), tone: n.quarantined > 0 ? "bad" : "plain" },
        { title: "Failed for good", value: said(n.dead), tone: n.dead > 0 ? "bad" : "plain" },
      ]}
    />
  );
}
