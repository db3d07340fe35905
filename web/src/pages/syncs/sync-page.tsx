import { useQuery } from "@tanstack/react-query";
import { actOn, previewSync, syncs } from "../../api/syncs";
import type { Configured } from "../../draft/configured";
import { find, type Objects } from "../../draft/edits";
import { useWorkspace } from "../../frame/place";
import { Code, pretty } from "../../parts/code";
import { Link } from "../../parts/link";
import { Notice } from "../../parts/notice";
import { Page } from "../../parts/page";
import { go, useQueryText } from "../../parts/path";
import { Section } from "../../parts/section";
import { UrlTabs } from "../../parts/url-tabs";
import { When } from "../../parts/when";
import { keys } from "../../queries";
import { AccessOf } from "../access/access-of";
import { count } from "../flow";
import { HistoryOf } from "../history/history-of";
import { Loaded } from "../loaded";
import { Act } from "../object/act";
import { Drafted, draftOf } from "../object/drafted";
import { freeName } from "../object/kinds";
import { ObjectPage, type Up } from "../object/object-page";
import { State } from "../object/state";
import { Stats } from "../object/stats";
import { Taking } from "../object/taking";
import { PlaneTrouble, quoted } from "../plane-trouble";
import { Needs } from "./needs";
import { Rejects } from "./rejects";
import { Runs } from "./runs";
import { SyncForm } from "./sync-form";

/** One sync, or a new one. */
export function SyncPage() {
  const workspace = useWorkspace();
  const given = new URLSearchParams(useQueryText());
  const model = given.get("model") ?? "";
  const schedule = given.get("after") === "profiles" ? { schedule: { afterProfiles: true } } : {};
  const free = (c: Configured) =>
    freeName(
      model || "customers",
      (c.document.syncs ?? []).map((s) => s.name),
    );
  return (
    <ObjectPage
      kind="sync"
      fresh={(c, up) => (
        <Page title="New sync" of={workspace.name} up={up} hint="Which rows a tool shall have, and as what.">
          <SyncForm
            isNew
            configured={c}
            opened={{ name: free(c), model, destination: "", object: "", ...schedule }}
            onDone={(s) => go(workspace.path("syncs", s.name))}
          />
        </Page>
      )}
    >
      {(c, sync, up) => <One key={sync.id ?? sync.name} configured={c} sync={sync} up={up} />}
    </ObjectPage>
  );
}

type Props = { configured: Configured; sync: Objects["sync"]; up: Up };

function One({ configured, sync, up }: Props) {
  const workspace = useWorkspace();
  const live = useQuery({
    queryKey: keys.syncs(workspace.name),
    queryFn: ({ signal }) => syncs(workspace.name, signal),
    refetchInterval: 2000,
  });
  const isNew = draftOf(configured, "sync", sync.name) === "new";
  const now = live.data?.find((s) => s.id === sync.id || s.name === sync.name);
  const model = find(configured.document, "model", sync.model);
  const changed = keys.syncs(workspace.name);
  const run = now?.run;
  return (
    <Page
      title={sync.name}
      up={up}
      of={`Syncs · ${workspace.name}`}
      hint={
        <>
          Rows of <Link href={workspace.path("models", sync.model)}>{sync.model}</Link> as {sync.object} in{" "}
          <Link href={workspace.path("destinations", sync.destination)}>{sync.destination}</Link>.
        </>
      }
      beside={
        <>
          {now ? <State state={now.state} /> : null}
          <Drafted configured={configured} kind="sync" name={sync.name} />
        </>
      }
      actions={
        <>
          {now ? (
            <>
              <Act
                label={now.paused ? "Resume" : "Pause"}
                of={sync.name}
                act={() => actOn(workspace.name, now.name, now.paused ? "resume" : "pause")}
                command={`weir sync ${now.paused ? "resume" : "pause"} ${quoted(now.name)} --workspace ${quoted(workspace.name)}`}
                changed={changed}
              />
              <Act
                look="strong"
                label="Run now"
                of={sync.name}
                act={() => actOn(workspace.name, now.name, "run")}
                command={`weir sync run ${quoted(now.name)} --workspace ${quoted(workspace.name)}`}
                changed={changed}
              />
            </>
          ) : null}
          <Taking kind="sync" name={sync.name} configured={configured} after={up.href}>
            <p>
              {run
                ? `Its last run sent ${count(run.accepted)} rows. What ${sync.destination} has of them stays there.`
                : "It has sent nothing that its plane knows of."}
            </p>
          </Taking>
        </>
      }
    >
      {isNew ? (
        <Notice tone="calm" title="This sync is a draft. It runs once it is published.">
          <Link href={workspace.path("review")} look="strong">
            Review and publish
          </Link>
        </Notice>
      ) : null}
      <UrlTabs
        label={`Parts of ${sync.name}`}
        tabs={[
          ...(isNew
            ? []
            : [
                {
                  name: "Runs",
                  panel: (
                    <div className="space-y-6">
                      {live.error ? (
                        <PlaneTrouble
                          error={live.error}
                          what="how it runs"
                          command={`weir sync status ${quoted(sync.name)} --workspace ${quoted(workspace.name)}`}
                          onRetry={() => live.refetch()}
                        />
                      ) : null}
                      {now ? <Needs workspace={workspace.name} sync={now} /> : null}
                      {run ? (
                        <Stats
                          stats={[
                            { title: "Changed rows", value: count(run.planned) },
                            { title: "Taken", value: count(run.accepted), tone: "good" },
                            { title: "Refused", value: count(run.rejected), tone: run.rejected > 0 ? "bad" : "plain" },
                            {
                              title: "To be tried again",
                              value: count(run.waiting),
                              tone: run.waiting > 0 ? "warn" : "plain",
                            },
                            {
                              title: "Without a key",
                              value: count(run.invalid),
                              tone: run.invalid > 0 ? "warn" : "plain",
                            },
                          ]}
                        />
                      ) : null}
                      {now?.next ? (
                        <p className="text-sm text-soft">
                          The next run begins <When at={now.next} whole />.
                        </p>
                      ) : null}
                      {model && now ? (
                        <Section title="Runs">
                          <Runs workspace={workspace.name} warehouse={model.warehouse} sync={now.id} name={now.name} />
                        </Section>
                      ) : null}
                    </div>
                  ),
                },
                { name: "Refused rows", panel: <Rejects workspace={workspace.name} sync={sync.name} /> },
                { name: "Preview", panel: <Sample workspace={workspace.name} sync={sync.name} /> },
              ]),
          {
            name: "Settings",
            panel: (
              <SyncForm
                opened={sync}
                isNew={isNew}
                configured={configured}
                onDone={(s) => s.name === sync.name || go(workspace.path("syncs", s.name))}
              />
            ),
          },
          { name: "History", panel: <HistoryOf kind="sync" name={sync.name} /> },
          ...(isNew ? [] : [{ name: "Access", panel: <AccessOf kind="sync" name={sync.name} id={sync.id} /> }]),
        ]}
      />
    </Page>
  );
}

/** Some rows as they would be sent. */
function Sample({ workspace, sync }: { workspace: string; sync: string }) {
  const some = useQuery({
    queryKey: [...keys.syncs(workspace), "preview", sync],
    queryFn: ({ signal }) => previewSync(workspace, sync, signal),
  });
  return (
    <Loaded
      query={some}
      what="some rows"
      command={`weir sync preview ${quoted(sync)} --workspace ${quoted(workspace)}`}
    >
      {(events) =>
        events.length === 0 ? (
          <p className="text-sm text-soft">The model has no rows.</p>
        ) : (
          <div className="space-y-2">
            <p className="text-sm text-soft">
              Some rows as the published sync would send them. They come from the data plane, and nothing is sent.
            </p>
            <Code text={events.map(pretty).join("\n")} name="Rows as they would be sent" />
          </div>
        )
      }
    </Loaded>
  );
}
