import type { Configured } from "../../draft/configured";
import type { Objects } from "../../draft/edits";
import { useWorkspace } from "../../frame/place";
import { Link } from "../../parts/link";
import { Page } from "../../parts/page";
import { go } from "../../parts/path";
import { UrlTabs } from "../../parts/url-tabs";
import { AccessOf } from "../access/access-of";
import { HistoryOf } from "../history/history-of";
import { Drafted, draftOf } from "../object/drafted";
import { freeName } from "../object/kinds";
import { ObjectPage, type Up } from "../object/object-page";
import { Taking } from "../object/taking";
import { ModelForm } from "./model-form";

/** One model, or a new one. */
export function ModelPage() {
  const workspace = useWorkspace();
  return (
    <ObjectPage
      kind="model"
      fresh={(c, up) => (
        <Page title="New model" of={workspace.name} up={up} hint="Where a sync reads its rows from.">
          <ModelForm
            isNew
            configured={c}
            opened={{
              name: freeName(
                "customers",
                (c.document.models ?? []).map((m) => m.name),
              ),
              warehouse: only(c),
              key: "",
            }}
            onDone={(m) => go(workspace.path("models", m.name))}
          />
        </Page>
      )}
    >
      {(c, model, up) => <Model key={model.id ?? model.name} configured={c} model={model} up={up} />}
    </ObjectPage>
  );
}

/** The only warehouse of a workspace that has one, else none. */
function only(c: Configured): string {
  const all = (c.document.destinations ?? []).filter((d) =>
    ["clickhouse", "duckdb", "mysql", "postgres"].includes(d.type),
  );
  return all.length === 1 ? (all[0]?.name ?? "") : "";
}

type Props = { configured: Configured; model: Objects["model"]; up: Up };

function Model({ configured, model, up }: Props) {
  const workspace = useWorkspace();
  const syncs = (configured.document.syncs ?? []).filter((s) => s.model === model.name);
  return (
    <Page
      title={model.name}
      up={up}
      of={`Models · ${workspace.name}`}
      hint={
        syncs.length === 0 ? (
          <>
            No sync reads it yet.{" "}
            <Link href={`${workspace.path("syncs", "new")}?model=${encodeURIComponent(model.name)}`}>Make one</Link>.
          </>
        ) : (
          <>
            Read by{" "}
            {syncs.map((s, i) => (
              <span key={s.name}>
                {i > 0 ? ", " : ""}
                <Link href={workspace.path("syncs", s.name)}>{s.name}</Link>
              </span>
            ))}
            .
          </>
        )
      }
      beside={<Drafted configured={configured} kind="model" name={model.name} />}
      actions={
        <Taking
          kind="model"
          name={model.name}
          configured={configured}
          after={up.href}
          held={syncs.map((s) => `the sync ${s.name}`)}
        />
      }
    >
      <UrlTabs
        label={`Parts of ${model.name}`}
        tabs={[
          {
            name: "Settings",
            panel: (
              <ModelForm
                opened={model}
                isNew={draftOf(configured, "model", model.name) === "new"}
                configured={configured}
                onDone={(m) => m.name === model.name || go(workspace.path("models", m.name))}
              />
            ),
          },
          { name: "History", panel: <HistoryOf kind="model" name={model.name} /> },
          ...(draftOf(configured, "model", model.name) === "new"
            ? []
            : [{ name: "Access", panel: <AccessOf kind="model" name={model.name} id={model.id} /> }]),
        ]}
      />
    </Page>
  );
}
