import { useMutation } from "@tanstack/react-query";
import { type FormEvent, type KeyboardEvent, useId } from "react";
import { query } from "../../api/warehouse";
import { Button } from "../../parts/button";
import { PlaneTrouble, quoted } from "../plane-trouble";
import { RowTable } from "./row-table";

const most = 200; // rows; enough to look at, the command line shows all

/** A box for SQL, and the rows that it finds. */
export function SqlBox({
  workspace,
  destination,
  tables,
}: {
  workspace: string;
  destination: string;
  tables: string[];
}) {
  const id = useId();
  const run = useMutation({ mutationFn: (sql: string) => query(workspace, destination, sql, most) });
  const submit = (e: FormEvent<HTMLFormElement>) => {
    e.preventDefault();
    run.mutate(String(new FormData(e.currentTarget).get("sql") ?? ""));
  };
  const keyed = (e: KeyboardEvent<HTMLTextAreaElement>) => {
    if (e.key === "Enter" && (e.ctrlKey || e.metaKey)) e.currentTarget.form?.requestSubmit();
  };
  return (
    <div className="space-y-3">
      <form onSubmit={submit} className="space-y-2">
        <label htmlFor={id} className="block text-sm font-medium">
          SQL for {destination}
        </label>
        <textarea
          id={id}
          name="sql"
          required
          rows={3}
          spellCheck={false}
          onKeyDown={keyed}
          placeholder={`select * from ${tables[0] ?? "tracks"} limit 20`}
          className="w-full rounded-lg border border-edge bg-card p-3 font-mono text-[13px] leading-5 text-ink placeholder:text-soft"
        />
        <Button type="submit" look="strong" disabled={run.isPending}>
          {run.isPending ? "Asking…" : "Run"}
        </Button>
      </form>
      {run.error ? (
        <PlaneTrouble
          error={run.error}
          command={`weir query --workspace ${quoted(workspace)} ${quoted(destination)} ${quoted(run.variables ?? "")}`}
          onRetry={() => run.mutate(run.variables ?? "")}
        />
      ) : null}
      {run.data && !run.error ? <RowTable {...run.data} /> : null}
    </div>
  );
}
