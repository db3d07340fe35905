import { useMutation } from "@tanstack/react-query";
import { type KeyboardEvent, useState } from "react";
import { query } from "../../api/warehouse";
import { Button } from "../../parts/button";
import { Editor } from "../../parts/editor";
import { putFragment, useFragment } from "../../parts/path";
import { PlaneTrouble, quoted } from "../plane-trouble";
import { RowTable } from "./row-table";
import { TableTree } from "./table-tree";

const most = 200; // rows; enough to look at, the command line shows all

type Props = { workspace: string; destination: string; example: string };

/** A warehouse's tables, a box for SQL, and the rows that it finds. What was run stands in the address's fragment. */
export function SqlBox({ workspace, destination, example }: Props) {
  const given = useFragment(destination);
  const [text, setText] = useState(given);
  const [opened, setOpened] = useState(0); // how often another text was put into the editor
  const run = useMutation({ mutationFn: (sql: string) => query(workspace, destination, sql, most) });
  const begin = (sql: string) => {
    if (sql.trim() === "" || run.isPending) return;
    putFragment(destination, sql);
    run.mutate(sql);
  };
  const put = (sql: string) => {
    setText(sql);
    setOpened((n) => n + 1);
    begin(sql);
  };
  const keyed = (e: KeyboardEvent) => {
    if (e.key !== "Enter" || !(e.ctrlKey || e.metaKey)) return;
    e.preventDefault();
    e.stopPropagation(); // the editor would add a line
    begin(text);
  };
  const command = `weir query --workspace ${quoted(workspace)} ${quoted(destination)} ${quoted(run.variables ?? "")}`;
  return (
    <div className="grid items-start gap-5 lg:grid-cols-[minmax(0,16rem)_minmax(0,1fr)]">
      <TableTree workspace={workspace} destination={destination} onLook={put} />
      <div className="space-y-3">
        <form
          className="space-y-2"
          onKeyDownCapture={keyed}
          onSubmit={(e) => {
            e.preventDefault();
            begin(text);
          }}
        >
          <p className="text-sm font-medium">SQL for {destination}</p>
          <Editor key={opened} name={`SQL for ${destination}`} language="sql" low initial={text} onChange={setText} />
          <div className="flex flex-wrap items-center gap-3">
            <Button type="submit" look="strong" disabled={run.isPending}>
              {run.isPending ? "Asking…" : "Run"}
            </Button>
            {text.trim() === "" ? (
              <Button onClick={() => put(`select * from ${example} limit 20`)}>Try an example</Button>
            ) : null}
            <span className="text-xs text-soft max-sm:hidden">
              Ctrl or ⌘ Enter. The address leads back to what ran.
            </span>
          </div>
        </form>
        {run.error ? (
          <PlaneTrouble error={run.error} command={command} onRetry={() => run.mutate(run.variables ?? "")} />
        ) : null}
        {run.data && !run.error ? <RowTable {...run.data} name={destination} /> : null}
      </div>
    </div>
  );
}
