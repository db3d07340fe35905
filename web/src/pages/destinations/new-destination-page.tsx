import { useMutation } from "@tanstack/react-query";
import { useParams } from "@tanstack/react-router";
import { useState } from "react";
import { apply, config } from "../../api/client";
import type { Spec } from "../../api/tenants";
import { type Configured, useConfigured } from "../../draft/configured";
import { connectionKey, find, type Objects } from "../../draft/edits";
import { useFollowing } from "../../draft/publish";
import { useWorkspace } from "../../frame/place";
import { Button } from "../../parts/button";
import { Link } from "../../parts/link";
import { Notice } from "../../parts/notice";
import { Page } from "../../parts/page";
import { go, putQuery, useQueryText } from "../../parts/path";
import { Section } from "../../parts/section";
import { Spinner } from "../../parts/spinner";
import { Loaded } from "../loaded";
import { freeName, ownType, specOf, useCatalog } from "../object/kinds";
import { ObjectForm } from "../object/object-form";
import { OwnForm } from "../object/own-form";
import { objectsFor } from "../syncs/objects";
import { Trouble } from "../trouble";
import { ConnectionTest } from "../warehouses/connection-test";
import { Preview } from "./preview";
import { Steps } from "./steps";

/** Makes a destination: its settings, a test from its plane, its sources; the review publishes it. */
export function NewDestinationPage() {
  const { type = "" } = useParams({ strict: false });
  const workspace = useWorkspace();
  const configured = useConfigured(workspace.name);
  const kinds = useCatalog();
  const spec = specOf(kinds.data, "destination", type);
  const name = new URLSearchParams(useQueryText()).get("name") ?? "";
  const made = configured.data && name !== "" ? find(configured.data.document, "destination", name) : undefined;
  const step = made ? 1 : 0;
  return (
    <Page
      title={spec && type !== ownType ? `New ${spec.title} destination` : "New destination"}
      of={workspace.name}
      up={{ href: workspace.path("destinations", "new"), title: "Catalogue" }}
      hint={spec?.doc}
    >
      <Steps names={["Settings", "Test and sources", "Review and publish"]} at={step} />
      <Loaded query={kinds} what="the catalogue">
        {() =>
          spec ? (
            <Loaded query={configured} what="the workspace">
              {(c) =>
                made ? (
                  <Connect key={made.name} configured={c} destination={made} spec={spec} />
                ) : (
                  <Settings configured={c} spec={spec} />
                )
              }
            </Loaded>
          ) : (
            <Notice tone="warn" title={`The catalogue has no ${type}.`}>
              <Link href={workspace.path("destinations", "new")}>To the catalogue</Link>
            </Notice>
          )
        }
      </Loaded>
    </Page>
  );
}

function Settings({ configured, spec }: { configured: Configured; spec: Spec }) {
  const taken = (configured.document.destinations ?? []).map((d) => d.name);
  const common = {
    kind: "destination",
    isNew: true,
    configured,
    act: "Continue",
    onDone: (o: { name: string }) => putQuery("name", o.name),
  } as const;
  if (spec.name === ownType) return <OwnForm {...common} />;
  return <ObjectForm {...common} spec={spec} opened={{ name: freeName(spec.name, taken), type: spec.name }} />;
}

type Step = { configured: Configured; destination: Objects["destination"] };

function Connect({ configured, destination, spec }: Step & { spec: Spec }) {
  const workspace = useWorkspace();
  const [chosen, setChosen] = useState<string[]>(() =>
    (configured.document.connections ?? []).filter((c) => c.destination === destination.name).map((c) => c.source),
  );
  const sources = configured.document.sources ?? [];
  const kept = spec.family === "destination" ? objectsFor(destination, [spec]) : [];
  const next = () => {
    for (const s of sources) {
      const key = connectionKey(s.name, destination.name);
      const there = find(configured.document, "connection", key);
      const want = chosen.includes(s.name);
      if (want && !there) configured.edit("connection", key, null, { source: s.name, destination: destination.name });
      if (!want && there)
        configured.edit("connection", key, find(configured.published, "connection", key) ?? null, null);
    }
    go(workspace.path("review"));
  };
  return (
    <div className="space-y-8">
      {spec.family === "destination" ? (
        <details className="group rounded-xl border border-line">
          <summary className="cursor-pointer rounded-xl px-4 py-3 text-sm font-medium hover:bg-sunken">
            See what it would be sent
          </summary>
          <div className="border-t border-line p-4">
            <Preview workspace={workspace} destination={destination} />
          </div>
        </details>
      ) : null}
      <Section title="Test it">
        <div className="max-w-2xl">
          <Testing configured={configured} destination={destination} />
        </div>
      </Section>
      {kept.length > 0 ? (
        <Notice tone="calm" title={`Syncs keep ${kept.map((o) => o.title.toLowerCase()).join(", ")} in it.`}>
          <p>
            Publish it, then <Link href={workspace.path("syncs", "new")}>add a sync</Link>: rows of a table, a query or
            an audience go there. Sources send events; where only syncs are meant, choose none.
          </p>
        </Notice>
      ) : null}
      <Section title="Sources">
        {sources.length === 0 ? (
          <p className="text-sm text-soft">
            There is no source yet. <Link href={workspace.path("sources", "new")}>Make one</Link>; the destination stays
            in the draft.
          </p>
        ) : (
          <fieldset className="space-y-1">
            <legend className="mb-2 text-sm text-soft">Whose events {destination.name} gets:</legend>
            {sources.map((s) => (
              <label key={s.name} className="flex min-h-9 items-center gap-2.5 text-sm">
                <input
                  type="checkbox"
                  className="size-4 accent-accent"
                  checked={chosen.includes(s.name)}
                  onChange={(e) =>
                    setChosen(e.target.checked ? [...chosen, s.name] : chosen.filter((n) => n !== s.name))
                  }
                />
                {s.name} <span className="text-soft">{s.type}</span>
              </label>
            ))}
          </fieldset>
        )}
      </Section>
      <div className="flex flex-wrap gap-2">
        <Button look="strong" onClick={next}>
          Review and publish
        </Button>
        <Button onClick={() => go(`${workspace.path("destinations", destination.name)}?tab=settings`)}>
          Back to the settings
        </Button>
      </div>
    </div>
  );
}

/** Tests a destination where its plane is. A drafted one is published first, by itself: without a connection it gets nothing. */
function Testing({ configured, destination }: Step) {
  const workspace = useWorkspace();
  const following = useFollowing(workspace.name);
  const published = find(configured.published, "destination", destination.name);
  const edit = configured.draft.edits.find((e) => e.kind === "destination" && e.key === destination.name);
  const publish = useMutation({
    mutationFn: async () => {
      const now = await config(workspace.name);
      const began = Date.now();
      const others = (now.document.destinations ?? []).filter((d) => d.name !== destination.name);
      const number = await apply({
        document: { ...now.document, destinations: [...others, destination] },
        etag: now.etag,
      });
      if (edit) configured.forget(edit);
      following(number, began);
      return number;
    },
    onSettled: configured.change.bind(null, {}),
  });
  const running = workspace.destinations.some((d) => d.name === destination.name) && workspace.state !== "pending";
  if (published && !edit)
    return running ? (
      <ConnectionTest workspace={workspace.name} destination={destination.name} />
    ) : (
      <p role="status" className="flex items-center gap-2 text-sm text-soft">
        <Spinner /> Its plane is taking it…
      </p>
    );
  return (
    <div className="space-y-3 text-sm">
      <p className="text-soft">
        The data plane tests it with the settings and secrets that it has. For that {destination.name} is published now,
        by itself; joined to no source, it gets no events.
      </p>
      <Button onClick={() => publish.mutate()} disabled={publish.isPending}>
        {publish.isPending ? <Spinner /> : null}
        {publish.isPending ? "Publishing…" : "Publish it alone and test"}
      </Button>
      {publish.error ? <Trouble error={publish.error} /> : null}
    </div>
  );
}
