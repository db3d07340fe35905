import { useConfigured } from "../../draft/configured";
import { find } from "../../draft/edits";
import { useWorkspace } from "../../frame/place";
import { Button } from "../../parts/button";
import { Empty } from "../../parts/empty";
import { Page } from "../../parts/page";
import { putQuery, useQueryText } from "../../parts/path";
import { Loaded } from "../loaded";
import { TransformationEditor } from "./transformation-editor";
import { TransformationList } from "./transformation-list";

/** The code that changes events on their way, to write and to try. What is added to the draft runs once it is published. */
export function TransformationsPage() {
  const workspace = useWorkspace();
  const configured = useConfigured(workspace.name);
  const query = new URLSearchParams(useQueryText());
  const adding = query.has("new");
  const choose = (to: string) => {
    putQuery("new", "");
    putQuery("name", to);
  };
  const add = () => {
    putQuery("name", "");
    putQuery("new", "1");
  };
  return (
    <Page
      title="Transformations"
      of={workspace.name}
      hint="JavaScript that changes, drops or multiplies events on a connection."
      actions={configured.data && !adding ? <Button onClick={add}>New transformation</Button> : null}
    >
      <Loaded query={configured} what="the transformations">
        {(c) => {
          const all = c.document.transformations ?? [];
          const name = query.get("name") ?? "";
          const known = find(c.document, "transformation", name);
          if (all.length === 0 && !adding)
            return (
              <Empty title="No transformation yet: events arrive as they were sent.">
                <p>
                  A transformation is a JavaScript function that changes, drops or multiplies events on a connection.
                </p>
                <Button look="strong" onClick={add}>
                  Write the first one
                </Button>
              </Empty>
            );
          return (
            <div className="grid gap-6 xl:grid-cols-[15rem_minmax(0,1fr)]">
              <div>
                {all.length > 0 ? (
                  <TransformationList configured={c} chosen={known && !adding ? name : null} onChoose={choose} />
                ) : null}
              </div>
              {adding || known ? (
                <TransformationEditor
                  key={adding ? "" : (known?.id ?? name)}
                  configured={c}
                  name={adding ? "" : name}
                  onAdded={choose}
                />
              ) : (
                <p className="text-sm text-soft">
                  {name === ""
                    ? "Choose one to see its code."
                    : `There is no transformation ${name}; choose another one.`}
                </p>
              )}
            </div>
          );
        }}
      </Loaded>
    </Page>
  );
}
