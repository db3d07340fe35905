import { useParams } from "@tanstack/react-router";
import { type Configured, useConfigured } from "../../draft/configured";
import { connectionKey, find } from "../../draft/edits";
import { useHere, useWorkspace } from "../../frame/place";
import { Link } from "../../parts/link";
import { Notice } from "../../parts/notice";
import { Page } from "../../parts/page";
import { Section } from "../../parts/section";
import { UrlTabs } from "../../parts/url-tabs";
import { AccessOf } from "../access/access-of";
import { HealthBadge, healthOf, planeOf } from "../destinations/health";
import { ofConnection, sum, useFlow } from "../flow";
import { HistoryOf } from "../history/history-of";
import { LiveEvents } from "../live/live-events";
import { ProblemGroups } from "../live/problem-groups";
import { Loaded } from "../loaded";
import { Drafted, draftOf } from "../object/drafted";
import { ConnectionHealth } from "./connection-health";
import { ConnectionSettings } from "./connection-settings";
import { Rules } from "./rules";

/** One connection: what goes through, what it takes, what happens on the way. */
export function ConnectionPage() {
  const { source = "", destination = "" } = useParams({ strict: false });
  const workspace = useWorkspace();
  const configured = useConfigured(workspace.name);
  const up = { href: workspace.path("connections"), title: "Connections" };
  const title = `${source} → ${destination}`;
  return (
    <Loaded query={configured} what="the connection" page={{ title, up }}>
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

type Props = { configured: Configured; source: string; destination: string };

function Connection({ configured, source, destination }: Props) {
  const { all } = useHere();
  const workspace = useWorkspace();
  const flow = useFlow(workspace.name);
  const key = connectionKey(source, destination);
  const connection = find(configured.document, "connection", key);
  if (!connection) return null;
  const numbers = sum(flow.data, ofConnection(source, destination), "routed");
  const d = find(configured.document, "destination", destination);
  const health = d && healthOf(d, flow.data ? numbers : undefined, planeOf(all.planes, workspace));
  const base = configured.draft.edits.find((e) => e.kind === "connection" && e.key === key);
  const published = base ? base.base : (find(configured.published, "connection", key) ?? null);
  const isNew = draftOf(configured, "connection", key) === "new";
  return (
    <Page
      title={`${source} → ${destination}`}
      up={{ href: workspace.path("connections"), title: "Connections" }}
      of={`Connections · ${workspace.name}`}
      beside={
        <>
          {health && !isNew ? <HealthBadge health={health} /> : null}
          <Drafted configured={configured} kind="connection" name={key} />
        </>
      }
    >
      {isNew ? (
        <Notice tone="calm" title="This connection is a draft: nothing goes through until it is published.">
          <Link href={workspace.path("review")} look="strong">
            Review and publish
          </Link>
        </Notice>
      ) : null}
      <UrlTabs
        label="Parts of the connection"
        tabs={[
          {
            name: "Health",
            panel: <ConnectionHealth source={source} destination={destination} health={health} flow={flow} />,
          },
          { name: "Events", panel: <Events source={source} destination={destination} /> },
          {
            name: "Transformations and filters",
            panel: <Rules configured={configured} connection={connection} published={published} />,
          },
          {
            name: "Settings",
            panel: <ConnectionSettings configured={configured} connection={connection} published={published} />,
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

/** What did not arrive of a connection's events, and those that pass now; both straight from the plane. */
function Events({ source, destination }: { source: string; destination: string }) {
  const workspace = useWorkspace();
  return (
    <div className="space-y-8">
      <Section title="Did not arrive">
        <ProblemGroups workspace={workspace} only={destination} source={source} />
      </Section>
      <Section title="Passing now">
        <LiveEvents workspace={workspace} connection={{ source, destination }} />
      </Section>
    </div>
  );
}
