import { isPulled } from "../../api/tenants";
import { useConfigured } from "../../draft/configured";
import { useWorkspace } from "../../frame/place";
import { Page } from "../../parts/page";
import { go, putQuery, useQueryText } from "../../parts/path";
import { Loaded } from "../loaded";
import { freeName, ownType, useCatalog } from "../object/kinds";
import { ObjectForm } from "../object/object-form";
import { OwnForm } from "../object/own-form";
import { KindChoice } from "./kind-choice";

/** Makes a source: which kind it is, then its name and settings. */
export function NewSourcePage() {
  const workspace = useWorkspace();
  const configured = useConfigured(workspace.name);
  const kinds = useCatalog();
  const type = new URLSearchParams(useQueryText()).get("type") ?? "";
  return (
    <Page
      title="New source"
      of={workspace.name}
      up={{ href: workspace.path("sources"), title: "Sources" }}
      hint="Choose what sends the events, or whose rows are pulled. What sends gets a write key and code to paste when it is published."
    >
      <Loaded query={kinds} what="the kinds of sources">
        {(all) => (
          <KindChoice
            kinds={all.filter((s) => s.family === "source")}
            chosen={type}
            onChoose={(name) => putQuery("type", name)}
          />
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
