import { isPulled } from "../../api/tenants";
import type { Configured } from "../../draft/configured";
import type { Objects } from "../../draft/edits";
import { useWorkspace } from "../../frame/place";
import { Badge } from "../../parts/badge";
import { Empty } from "../../parts/empty";
import { Link } from "../../parts/link";
import { Notice } from "../../parts/notice";
import { Page } from "../../parts/page";
import { Section } from "../../parts/section";
import { Spinner } from "../../parts/spinner";
import { UrlTabs } from "../../parts/url-tabs";
import { AccessOf } from "../access/access-of";
import { count, ofSource, rateOf, sum, useFlow } from "../flow";
import { FlowTrouble } from "../flow-trouble";
import { HistoryOf } from "../history/history-of";
import { Loaded } from "../loaded";
import { Drafted, draftOf } from "../object/drafted";
import { ownType, useKindOf } from "../object/kinds";
import { ObjectForm } from "../object/object-form";
import { ObjectPage, type Up } from "../object/object-page";
import { OwnForm } from "../object/own-form";
import { Removal } from "../object/removal";
import { Stats } from "../object/stats";
import { Checks } from "./checks";
import { KeyRotation } from "./key-rotation";
import { SourceSetup } from "./source-setup";
import { Streams } from "./streams";

/** One source: how to send to it, what came, its settings. */
export function SourcePage() {
  return (
    <ObjectPage kind="source">
      {(c, source, up) => <Source key={source.id ?? source.name} configured={c} source={source} up={up} />}
    </ObjectPage>
  );
}

function Source({ configured, source, up }: { configured: Configured; source: Objects["source"]; up: Up }) {
  const { name } = source;
  const workspace = useWorkspace();
  const live = workspace.sources.find((s) => s.id === source?.id || s.name === name);
  const isNew = draftOf(configured, "source", name) === "new";
  const kind = useKindOf("source", source);
  const spec = kind.data;
  const connections = (configured.document.connections ?? []).filter((c) => c.source === name);
  return (
    <Page
      title={name}
      up={up}
      of={`Sources · ${workspace.name}`}
      hint={spec?.title ?? source.type}
      beside={
        <>
          <Drafted configured={configured} kind="source" name={name} />
          {source.disabled ? <Badge tone="quiet">Disabled: its events are refused</Badge> : null}
        </>
      }
      actions={<Removal kind="source" name={name} configured={configured} after={up.href} />}
    >
      {isNew ? (
        <Notice
          tone="calm"
          title={`This source is a draft. Publish it ${isPulled(spec) ? "to have it pulled" : "to get its write key"}.`}
        >
          <Link href={workspace.path("review")} look="strong">
            Review and publish
          </Link>
        </Notice>
      ) : null}
      <UrlTabs
        label={`Parts of ${name}`}
        tabs={[
          {
            name: isPulled(spec) ? "Streams" : "Set-up",
            panel: (
              <div className="space-y-8">
                {live && !isPulled(spec) ? (
                  <Arrival name={live.name} workspace={workspace.name} events={workspace.path("events")} />
                ) : null}
                {isPulled(spec) ? (
                  isNew ? (
                    <p className="text-sm text-soft">It is pulled once it is published.</p>
                  ) : (
                    <Streams workspace={workspace.name} source={name} />
                  )
                ) : live ? (
                  <>
                    <SourceSetup source={live} gateway={workspace.gatewayUrl} />
                    <Checks source={live} workspace={workspace} events={workspace.path("events")} />
                  </>
                ) : (
                  <Empty title="It has no write key yet.">
                    <p>The key and code to paste appear here when it is published.</p>
                  </Empty>
                )}
                <Section title="Goes to">
                  {connections.length === 0 ? (
                    <p className="text-sm text-soft">
                      Nowhere yet: its events are counted and kept nowhere.{" "}
                      <Link href={workspace.path("destinations", "new")}>Add a destination</Link> or{" "}
                      <Link href={workspace.path("connections")}>connect one</Link>.
                    </p>
                  ) : (
                    <ul className="flex flex-wrap gap-2 text-sm">
                      {connections.map((c) => (
                        <li key={c.destination}>
                          <Link href={workspace.path("connections", c.source, c.destination)} look="button">
                            {c.destination}
                          </Link>
                        </li>
                      ))}
                    </ul>
                  )}
                </Section>
              </div>
            ),
          },
          {
            name: "Settings",
            panel: (
              <div className="space-y-8">
                <Settings kind={kind} source={source} isNew={isNew} configured={configured} />
                {isNew || isPulled(spec) ? null : <KeyRotation source={source} configured={configured} />}
              </div>
            ),
          },
          { name: "History", panel: <HistoryOf kind="source" name={name} /> },
          ...(isNew ? [] : [{ name: "Access", panel: <AccessOf kind="source" name={name} id={source.id} /> }]),
        ]}
      />
    </Page>
  );
}

type SettingsProps = {
  kind: ReturnType<typeof useKindOf>;
  source: Objects["source"];
  isNew: boolean;
  configured: Configured;
};

function Settings({ kind, source, isNew, configured }: SettingsProps) {
  const common = { kind: "source", isNew, configured, act: "Add to the draft", onDone: () => {} } as const;
  if (source.type === ownType) return <OwnForm {...common} opened={source} />;
  return (
    <Loaded query={kind} what="its settings">
      {(spec) => <ObjectForm {...common} spec={spec} opened={source} />}
    </Loaded>
  );
}

/** What came from a source; while nothing did, it waits for the first event. */
function Arrival({ name, workspace, events }: { name: string; workspace: string; events: string }) {
  const flow = useFlow(workspace);
  if (flow.error) return <FlowTrouble workspace={workspace} flow={flow} />;
  const n = sum(flow.data, ofSource(name), "accepted");
  const said = (text: string) => (flow.data ? text : "…");
  if (flow.data && n.accepted === 0)
    return (
      <p role="status" className="flex items-center gap-2.5 rounded-xl border border-line bg-card px-4 py-3 text-sm">
        <Spinner /> Waiting for the first event. Send one with the code below; it shows here by itself.
      </p>
    );
  return (
    <div className="space-y-2">
      <Stats
        stats={[
          { title: "Now", value: rateOf(flow.data, n) },
          { title: "Accepted", value: said(count(n.accepted)) },
          { title: "Duplicates", value: said(count(n.duplicate)) },
          { title: "Quarantined", value: said(count(n.quarantined)), tone: n.quarantined > 0 ? "bad" : "plain" },
          { title: "Dropped", value: said(count(n.dropped)) },
        ]}
      />
      <p className="text-sm">
        <Link href={`${events}?source=${encodeURIComponent(name)}`}>Watch its events</Link>
      </p>
    </div>
  );
}
