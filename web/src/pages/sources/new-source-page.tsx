import { useState } from "react";
import { isPulled } from "../../api/tenants";
import { useConfigured } from "../../draft/configured";
import { useWorkspace } from "../../frame/place";
import { Page } from "../../parts/page";
import { go } from "../../parts/path";
import { Loaded } from "../loaded";
import { freeName, ownType, useCatalog } from "../object/kinds";
import { ObjectForm } from "../object/object-form";
import { OwnForm } from "../object/own-form";

/** Makes a source: which kind it is, then its name and settings. */
export function NewSourcePage() {
  const workspace = useWorkspace();
  const configured = useConfigured(workspace.name);
  const kinds = useCatalog();
  const [type, setType] = useState("");
  return (
    <Page
      title="New source"
      of={workspace.name}
      up={{ href: workspace.path("sources"), title: "Sources" }}
      hint="Choose what sends the events, or whose rows are pulled. What sends gets a write key and code to paste when it is published."
    >
      <Loaded query={kinds} what="the kinds of sources">
        {(all) => (
          <fieldset>
            <legend className="sr-only">Kind of source</legend>
            <div className="grid gap-3 sm:grid-cols-2 lg:grid-cols-3">
              {all
                .filter((s) => s.family === "source")
                .map((s) => (
                  <label
                    key={s.name}
                    className="flex cursor-pointer items-start gap-3 rounded-xl border border-line bg-card p-4 shadow-xs hover:border-edge has-checked:border-accent has-checked:bg-accent-wash"
                  >
                    <input
                      type="radio"
                      name="type"
                      value={s.name}
                      checked={type === s.name}
                      onChange={() => setType(s.name)}
                      className="mt-1 accent-accent"
                    />
                    <span>
                      <span className="block text-sm font-medium">{s.title}</span>
                      <span className="block text-sm text-soft">{s.doc}</span>
                    </span>
                  </label>
                ))}
            </div>
          </fieldset>
        )}
      </Loaded>
      {type === "" ? null : (
        <Loaded query={configured} what="the workspace">
          {(c) => {
            const spec = kinds.data?.find((s) => s.family === "source" && s.name === type);
            if (!spec) return null;
            const taken = (c.document.sources ?? []).map((s) => s.name);
            const common = {
              kind: "source",
              isNew: true,
              configured: c,
              act: "Add to the draft",
              onDone: (o: { name: string }) => go(workspace.path("sources", o.name)),
            } as const;
            if (type === ownType) return <OwnForm {...common} />;
            return (
              <ObjectForm
                {...common}
                key={type}
                spec={spec}
                opened={{
                  name: freeName(
                    isPulled(spec) || type === "webhook" ? type : type === "javascript" ? "web" : "server",
                    taken,
                  ),
                  type,
                }}
              />
            );
          }}
        </Loaded>
      )}
    </Page>
  );
}
