import { useMutation } from "@tanstack/react-query";
import { useState } from "react";
import { sampleRows } from "../../api/models";
import type { Configured } from "../../draft/configured";
import { type Objects, same } from "../../draft/edits";
import { useWorkspace } from "../../frame/place";
import { Button } from "../../parts/button";
import { Editor } from "../../parts/editor";
import { Input, Select } from "../../parts/input";
import { Link } from "../../parts/link";
import { Notice } from "../../parts/notice";
import { Adding } from "../object/adding";
import { specOf, useCatalog, wrongName } from "../object/kinds";
import { useAdd } from "../object/use-add";
import { PlaneTrouble, quoted } from "../plane-trouble";
import { RowTable } from "../warehouses/row-table";
import { complete, relation } from "./relation";

type Model = Objects["model"];
type Props = { opened: Model; isNew: boolean; configured: Configured; onDone?: (m: Model) => void };

type By = "sql" | "table" | "audience";

const rowsShown = 10;
const titles: Record<By, string> = { sql: "a statement", table: "a table or view", audience: "an audience" };

/** A model to make or to change, with ten of its rows from the plane. */
export function ModelForm({ opened, isNew, configured, onDone }: Props) {
  const workspace = useWorkspace();
  const kinds = useCatalog();
  const [model, setModel] = useState(opened);
  const [by, setBy] = useState<By>(opened.audience ? "audience" : opened.table ? "table" : "sql");
  const { add, problems } = useAdd({ kind: "model", configured, key: opened.name, isNew, onDone });
  const warehouses = (configured.document.destinations ?? []).filter(
    (d) => specOf(kinds.data, "destination", d.type)?.models,
  );
  const taken = (configured.document.models ?? []).map((m) => m.name).filter((n) => isNew || n !== opened.name);
  const put = (change: Partial<Model>) => setModel((m) => ({ ...m, ...change }));
  const now = clean(model, by);
  const preview = useMutation({
    mutationFn: () => sampleRows(workspace.name, model.warehouse, relation(now), rowsShown),
  });
  const columns = Object.keys(preview.data?.rows[0] ?? {});
  const submit = () => {
    const found: Record<string, string> = {};
    const name = wrongName(model.name, taken);
    if (name) found.name = name;
    if (model.warehouse === "") found.warehouse = "Choose the warehouse that has the rows.";
    if (!complete(now)) found[by] = by === "sql" ? "Write the statement that reads the rows." : `Name the ${by}.`;
    if (now.key === "") found.key = "Say which column names a row.";
    add.mutate({ object: now, found });
  };
  if (kinds.data && warehouses.length === 0)
    return (
      <Notice tone="calm" title="There is no warehouse that models could read.">
        <p>
          <Link href={workspace.path("destinations", "new")}>Add a warehouse</Link> of the kind DuckDB or PostgreSQL
          first.
        </p>
      </Notice>
    );
  const shown = ["name", "warehouse", "sql", "table", "audience", "key"];
  const problem = (field: string) => (problems[field] ? { problem: problems[field] } : {});
  return (
    <form
      noValidate
      className="space-y-6"
      onSubmit={(e) => {
        e.preventDefault();
        submit();
      }}
    >
      <div className="grid max-w-3xl gap-5 sm:grid-cols-2">
        <Input label="Name" value={model.name} onChange={(e) => put({ name: e.target.value })} {...problem("name")} />
        <Select
          label="Warehouse"
          value={model.warehouse}
          values={[{ value: "", title: "Choose…" }, ...warehouses.map((d) => ({ value: d.name, title: d.name }))]}
          onChange={(warehouse) => put({ warehouse })}
          {...problem("warehouse")}
        />
      </div>
      <fieldset className="flex flex-wrap gap-x-6 gap-y-1 text-sm">
        <legend className="mb-1 text-sm font-medium">Its rows are those of</legend>
        {(["sql", "table", "audience"] as const).map((v) => (
          <label key={v} className="flex min-h-8 items-center gap-2">
            <input
              type="radio"
              name="by"
              checked={by === v}
              onChange={() => {
                setBy(v);
                if (v === "audience") put({ key: "weir_id" });
              }}
              className="accent-accent"
            />
            {titles[v]}
          </label>
        ))}
      </fieldset>
      {by === "sql" ? (
        <div className="space-y-1.5">
          <Editor
            name="SQL of the model"
            language="sql"
            initial={model.sql ?? ""}
            onChange={(sql) => put({ sql })}
            low
          />
          {problems.sql ? (
            <p role="alert" className="text-sm text-bad">
              {problems.sql}
            </p>
          ) : null}
        </div>
      ) : (
        <div className="max-w-md">
          {by === "audience" ? (
            <Input
              label="Audience"
              hint="Of the profiles on that warehouse. Its rows are the golden records of its persons, and their key is weir_id."
              value={model.audience ?? ""}
              onChange={(e) => put({ audience: e.target.value })}
              {...problem("audience")}
            />
          ) : (
            <Input
              label="Table"
              hint="Such as users, or crm.customers."
              value={model.table ?? ""}
              onChange={(e) => put({ table: e.target.value })}
              {...problem("table")}
            />
          )}
        </div>
      )}
      <div className="max-w-md">
        <Input
          label="Key"
          hint="The column that names a row: another value in each row, and always the same for one row."
          list="model-columns"
          value={model.key}
          onChange={(e) => put({ key: e.target.value })}
          {...problem("key")}
        />
        <datalist id="model-columns">
          {columns.map((c) => (
            <option key={c} value={c} />
          ))}
        </datalist>
      </div>
      <Adding
        pending={add.isPending}
        disabled={!isNew && same(now, opened)}
        error={add.error}
        others={Object.entries(problems)
          .filter(([at]) => !shown.includes(at))
          .map(([, text]) => text)}
        beside={
          <Button disabled={!complete(now) || by === "audience" || preview.isPending} onClick={() => preview.mutate()}>
            {preview.isPending ? "Asking the plane…" : "Preview ten rows"}
          </Button>
        }
      />
      {preview.error ? (
        <PlaneTrouble
          error={preview.error}
          what="rows of the warehouse"
          command={`weir query --workspace ${quoted(workspace.name)} ${quoted(model.warehouse)} ${quoted(`select * from ${relation(now)} as m limit ${rowsShown}`)}`}
          onRetry={() => preview.mutate()}
        />
      ) : null}
      {preview.data && !preview.error ? (
        <div className="space-y-2">
          <RowTable {...preview.data} name={model.name || "rows"} />
          <KeyAdvice rows={preview.data.rows} column={model.key} />
        </div>
      ) : null}
    </form>
  );
}

/** What some rows say against a column as key. */
function KeyAdvice({ rows, column }: { rows: Record<string, unknown>[]; column: string }) {
  if (column === "" || rows.length === 0) return null;
  if (!rows.some((r) => column in r)) return <p className="text-sm text-warn">No row has a column {column}.</p>;
  const values = rows.map((r) => r[column]);
  if (values.includes(null))
    return <p className="text-sm text-warn">{column} is null in some of them; these rows are not sent.</p>;
  if (new Set(values).size < values.length)
    return <p className="text-sm text-warn">{column} has the same value in some of them; these rows are not sent.</p>;
  return null;
}

function clean({ table, sql, audience, ...rest }: Model, by: By): Model {
  if (by === "audience") return { ...rest, audience: (audience ?? "").trim() };
  return { ...rest, ...(by === "sql" ? { sql: sql ?? "" } : { table: (table ?? "").trim() }) };
}
