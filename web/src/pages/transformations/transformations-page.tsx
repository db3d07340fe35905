import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { config, type Workspace } from "../../api/client";
import { Button } from "../../parts/button";
import { Empty } from "../../parts/empty";
import { Notice } from "../../parts/notice";
import { putQuery, useQueryText } from "../../parts/path";
import { Waiting } from "../../parts/waiting";
import { keys } from "../../queries";
import { Trouble } from "../trouble";
import { TransformationEditor } from "./transformation-editor";
import { TransformationList } from "./transformation-list";

/** The code that changes events on their way, to write and to try. */
export function TransformationsPage({ workspace }: { workspace: Workspace }) {
  const now = useQuery({
    queryKey: keys.config(workspace.name),
    queryFn: ({ signal }) => config(workspace.name, signal),
    refetchOnWindowFocus: false, // what is edited stays as it was opened
  });
  const [saved, setSaved] = useState("");
  const query = new URLSearchParams(useQueryText());
  const name = query.get("name");
  const all = now.data?.document.transformations ?? [];
  const known = all.some((t) => t.name === name);
  const adding = query.has("new");
  const onSaved = (to: string) => {
    choose(to);
    setSaved(to);
  };
  const choose = (to: string) => {
    setSaved("");
    putQuery("new", "");
    putQuery("name", to);
  };
  const add = () => {
    putQuery("name", "");
    putQuery("new", "1");
  };
  return (
    <div className="space-y-6">
      <div className="flex flex-wrap items-center gap-3">
        <h1 className="text-2xl font-semibold tracking-tight">Transformations</h1>
        {now.data && !adding ? (
          <div className="ml-auto">
            <Button onClick={add}>New transformation</Button>
          </div>
        ) : null}
      </div>
      {now.isPending ? <Waiting what="the transformations" /> : null}
      {now.error ? <Trouble error={now.error} onRetry={() => now.refetch()} /> : null}
      {now.data && all.length > 0 ? (
        <TransformationList document={now.data.document} chosen={known ? name : null} onChoose={choose} />
      ) : null}
      {now.data && all.length === 0 && !adding ? (
        <Empty title="No transformation yet: events arrive as they were sent.">
          <p>A transformation is a JavaScript function that changes, drops or multiplies events on a connection.</p>
          <Button look="strong" onClick={add}>
            Write the first one
          </Button>
        </Empty>
      ) : null}
      {saved === "" ? null : (
        <Notice tone="calm" title={`${saved} is saved. The plane applies it now; the overview shows when it runs.`} />
      )}
      {now.data && (adding || (known && name)) ? (
        <TransformationEditor
          key={adding ? "" : name}
          opened={now.data}
          name={adding ? "" : (name ?? "")}
          onSaved={onSaved}
        />
      ) : null}
      {now.data && name && !known && !adding ? (
        <p className="text-sm text-soft">There is no transformation {name}; choose another one.</p>
      ) : null}
    </div>
  );
}
