import type { Configured } from "../../draft/configured";
import type { Objects } from "../../draft/edits";
import { useHere, useWorkspace } from "../../frame/place";
import { Link } from "../../parts/link";
import { Notice } from "../../parts/notice";
import { Page } from "../../parts/page";
import { Section } from "../../parts/section";
import { UrlTabs } from "../../parts/url-tabs";
import { AccessOf } from "../access/access-of";
import { count, ofDestination, rateOf, sum, useFlow } from "../flow";
import { FlowTrouble } from "../flow-trouble";
import { HistoryOf } from "../history/history-of";
import { Failures } from "../live/failures";
import { Loaded } from "../loaded";
import { Drafted, draftOf } from "../object/drafted";
import { ownType, specOf, useCatalog } from "../object/kinds";
import { ObjectForm } from "../object/object-form";
import { ObjectPage, type Up } from "../object/object-page";
import { OwnForm } from "../object/own-form";
import { Removal } from "../object/removal";
import { Stats } from "../object/stats";
import { ConnectionTest } from "../warehouses/connection-test";
import { HealthBadge, healthOf, planeOf } from "./health";
import { Preview } from "./preview";

/** One destination: how it is, what failed, its settings, what it would be sent. */
export function DestinationPage() {
  return (
    <ObjectPage kind="destination">
      {(c, d, up) => <Destination key={d.id ?? d.name} configured={c} d={d} up={up} />}
    </ObjectPage>
  );
}

function Destination({ configured, d, up }: { configured: Configured; d: Objects["destination"]; up: Up }) {
  const { name } = d;
  const { all } = useHere();
  const workspace = useWorkspace();
  const kinds = useCatalog();
  const flow = useFlow(workspace.name);
  const spec = specOf(kinds.data, "destination", d.type);
  const isNew = draftOf(configured, "destination", name) === "new";
  const numbers = sum(flow.data, ofDestination(name), "routed");
  const said = (n: number) => (flow.data ? count(n) : "…");
  const health = healthOf(
    d,
    flow.data ? numbers : workspace.destinations.find((x) => x.name === name),
    planeOf(all.planes, workspace),
  );
  const connections = (configured.document.connections ?? []).filter((c) => c.destination === name);
  return (
    <Page
      title={name}
      up={up}
      of={`Destinations · ${workspace.name}`}
      hint={spec?.title ?? d.type}
      beside={
        <>
          {isNew ? null : <HealthBadge health={health} />}
          <Drafted configured={configured} kind="destination" name={name} />
        </>
      }
      actions={<Removal kind="destination" name={name} configured={configured} after={up.href} />}
    >
      {isNew ? (
        <Notice tone="calm" title="This destination is a draft.">
          <p>
            <Link href={`${workspace.path("destinations", "new", d.type)}?name=${encodeURIComponent(name)}`}>
              Test it and choose its sources
            </Link>
            , or <Link href={workspace.path("review")}>review and publish</Link>.
          </p>
        </Notice>
      ) : null}
      <UrlTabs
        label={`Parts of ${name}`}
        tabs={[
          {
            name: "Health",
            panel: (
              <div className="space-y-6">
                {health.cause ? (
                  <Notice
                    tone={health.tone === "bad" ? "bad" : health.tone === "warn" ? "warn" : "calm"}
                    title={health.cause}
                  >
                    {numbers.dead > 0 ? (
                      <p>
                        <Link href="?tab=failures">See what failed and send it again</Link>
                      </p>
                    ) : null}
                  </Notice>
                ) : null}
                <FlowTrouble workspace={workspace.name} flow={flow} />
                {flow.error && !flow.data ? null : (
                  <Stats
                    stats={[
                      { title: "Now", value: rateOf(flow.data, numbers) },
                      { title: "Delivered", value: said(numbers.delivered), tone: "good" },
                      ...(spec?.family === "warehouse" ? [{ title: "To be loaded", value: said(numbers.staged) }] : []),
                      { title: "On their way", value: said(numbers.inFlight) },
                      { title: "Waiting", value: said(numbers.parked), tone: numbers.parked > 0 ? "warn" : "plain" },
                      {
                        title: "Failed for good",
                        value: said(numbers.dead),
                        tone: numbers.dead > 0 ? "bad" : "plain",
                      },
                      { title: "Dropped by rules", value: said(numbers.dropped) },
                    ]}
                  />
                )}
                {isNew ? null : <ConnectionTest workspace={workspace.name} destination={name} />}
                <Section title="Gets events of">
                  {connections.length === 0 ? (
                    <p className="text-sm text-soft">
                      No source yet. <Link href={workspace.path("connections")}>Connect one</Link>.
                    </p>
                  ) : (
                    <ul className="flex flex-wrap gap-2">
                      {connections.map((c) => (
                        <li key={c.source}>
                          <Link href={workspace.path("connections", c.source, c.destination)} look="button">
                            {c.source}
                          </Link>
                        </li>
                      ))}
                    </ul>
                  )}
                </Section>
                {spec?.family === "warehouse" ? (
                  <p className="text-sm">
                    <Link href={workspace.path("warehouses")}>Its loads and tables</Link>
                  </p>
                ) : null}
              </div>
            ),
          },
          {
            name: "Failures",
            panel: isNew ? (
              <p className="text-sm text-soft">Nothing was sent to it yet.</p>
            ) : (
              <Failures workspace={workspace} destination={name} />
            ),
          },
          {
            name: "Settings",
            panel: (
              <Loaded query={kinds} what="its settings">
                {() =>
                  d.type === ownType ? (
                    <OwnForm
                      kind="destination"
                      opened={d}
                      isNew={isNew}
                      configured={configured}
                      act="Add to the draft"
                      onDone={() => {}}
                    />
                  ) : spec ? (
                    <ObjectForm
                      kind="destination"
                      spec={spec}
                      opened={d}
                      isNew={isNew}
                      configured={configured}
                      act="Add to the draft"
                      onDone={() => {}}
                    />
                  ) : (
                    <p className="text-sm text-soft">This console does not know the kind {d.type}.</p>
                  )
                }
              </Loaded>
            ),
          },
          ...(spec?.family === "destination"
            ? [{ name: "Preview", panel: <Preview workspace={workspace} destination={d} /> }]
            : []),
          { name: "History", panel: <HistoryOf kind="destination" name={name} /> },
          ...(isNew ? [] : [{ name: "Access", panel: <AccessOf kind="destination" name={name} id={d.id} /> }]),
        ]}
      />
    </Page>
  );
}
