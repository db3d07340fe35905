import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { sampleRows } from "../../api/models";
import type { Configured } from "../../draft/configured";
import { find, type Objects, same } from "../../draft/edits";
import { useWorkspace } from "../../frame/place";
import { Check, Input, Select } from "../../parts/input";
import { Link } from "../../parts/link";
import { Notice } from "../../parts/notice";
import { relation } from "../models/relation";
import { Adding } from "../object/adding";
import { useCatalog, wrongName } from "../object/kinds";
import { useAdd } from "../object/use-add";
import { PlaneTrouble, quoted } from "../plane-trouble";
import { type Mode, modes, modesFor, objectsFor, receivers, removalsFor } from "./objects";
import { type Pair, PairRows, pairsOf, recordOf } from "./pairs";
import { ScheduleInput } from "./schedule-input";

type Sync = Objects["sync"];
type Change = { [K in keyof Sync]?: Sync[K] | undefined };
type Props = { opened: Sync; isNew: boolean; configured: Configured; onDone?: (s: Sync) => void };

/** A sync to make or to change: from which model, to which object of a destination, which column into which field. */
export function SyncForm({ opened, isNew, configured, onDone }: Props) {
  const workspace = useWorkspace();
  const kinds = useCatalog();
  const [sync, setSync] = useState(opened);
  const [identifiers, setIdentifiers] = useState<Pair[]>(() => pairsOf(opened.identifiers));
  const [mapping, setMapping] = useState<Pair[]>(() => pairsOf(opened.mapping));
  const { add, problems } = useAdd({ kind: "sync", configured, key: opened.name, isNew, onDone });
  const put = (change: Change) => setSync((s) => clean({ ...s, ...change }));
  const destination = find(configured.document, "destination", sync.destination);
  const objects = destination ? objectsFor(destination, kinds.data) : [];
  const object = objects.find((o) => o.name === sync.object);
  const model = find(configured.document, "model", sync.model);
  const rows = useQuery({
    queryKey: ["columns", workspace.id, model],
    queryFn: () => sampleRows(workspace.name, model?.warehouse ?? "", relation(model ?? {}), 1),
    enabled: model !== undefined && !model.audience,
    staleTime: 60_000,
  });
  const columns = model?.audience ? goldenColumns(configured, model) : Object.keys(rows.data?.rows[0] ?? {});
  const mode: Mode = sync.mode ?? "upsert";
  const now = clean({ ...sync, identifiers: recordOf(identifiers), mapping: recordOf(mapping) });
  const taken = (configured.document.syncs ?? []).map((s) => s.name).filter((n) => isNew || n !== opened.name);
  const toDestination = (name: string) => {
    const d = find(configured.document, "destination", name);
    const first = d ? objectsFor(d, kinds.data)[0] : undefined;
    put({ destination: name, object: "" });
    if (first) toObject(name, first.name);
  };
  const toObject = (destinationName: string, name: string) => {
    const d = find(configured.document, "destination", destinationName);
    const o = d && objectsFor(d, kinds.data).find((x) => x.name === name);
    const allowed = modesFor(o);
    put({ object: name, mode: allowed.includes(mode) ? sync.mode : allowed[0] });
    const own = (o?.identifiers ?? []).filter((f, i, all) => f.required || (i === 0 && !all.some((x) => x.required)));
    const wanted =
      own.length > 0 ? own.map((f) => ({ field: f.name, column: columns.includes(f.name) ? f.name : "" })) : [];
    setIdentifiers(wanted.length > 0 ? wanted : [{ field: "id", column: model?.key ?? "" }]);
  };
  const mapAll = () => {
    const used = new Set(mapping.map((p) => p.column));
    const rest = columns.filter((c) => !used.has(c) && !identifiers.some((p) => p.column === c));
    const fields = object?.fields ?? [];
    const more = rest
      .map((column) => ({ column, field: object?.closed && !fields.some((f) => f.name === column) ? "" : column }))
      .filter((p) => p.field !== "");
    setMapping([...mapping.filter((p) => p.field !== "" || p.column !== ""), ...more]);
  };
  const submit = () => {
    const found: Record<string, string> = {};
    const name = wrongName(sync.name, taken);
    if (name) found.name = name;
    if (sync.model === "") found.model = "Choose where the rows come from.";
    if (sync.destination === "") found.destination = "Choose where they go.";
    else if (sync.object === "") found.object = "Choose what they are there.";
    for (const f of object?.identifiers ?? [])
      if (f.required && !now.identifiers?.[f.name])
        found.identifiers = `The destination knows a record by ${f.name}: say which column it is.`;
    add.mutate({ object: now, found });
  };
  const to = receivers(configured, kinds.data);
  if (kinds.data && (to.length === 0 || (configured.document.models ?? []).length === 0))
    return (
      <Notice tone="calm" title="A sync needs a model, and a destination that keeps records.">
        <p>
          {(configured.document.models ?? []).length === 0 ? (
            <Link href={workspace.path("models", "new")}>Make a model</Link>
          ) : (
            <Link href={workspace.path("destinations", "new")}>Add a destination</Link>
          )}{" "}
          first.
        </p>
      </Notice>
    );
  const problem = (field: string) => (problems[field] ? { problem: problems[field] } : {});
  const below = (list: string) =>
    Object.fromEntries(
      Object.entries(problems)
        .filter(([at]) => at.startsWith(`${list}.`))
        .map(([at, text]) => [at.slice(list.length + 1), text]),
    );
  const shown = /^(name|model|destination|object|mode|removed|schedule(\..*)?|identifiers\..*|mapping\..*)$/;
  return (
    <form
      noValidate
      className="max-w-3xl space-y-8"
      onSubmit={(e) => {
        e.preventDefault();
        submit();
      }}
    >
      <div className="grid gap-5 sm:grid-cols-2">
        <Input label="Name" value={sync.name} onChange={(e) => put({ name: e.target.value })} {...problem("name")} />
        <Select
          label="Rows of"
          value={sync.model}
          values={choices((configured.document.models ?? []).map((m) => m.name))}
          onChange={(m) => put({ model: m })}
          {...problem("model")}
        />
        <Select
          label="Go to"
          value={sync.destination}
          values={choices(to.map((d) => d.name))}
          onChange={toDestination}
          {...problem("destination")}
        />
        <Select
          label="As"
          hint={object?.doc}
          value={sync.object}
          values={[{ value: "", title: "Choose…" }, ...objects.map((o) => ({ value: o.name, title: o.title }))]}
          onChange={(o) => toObject(sync.destination, o)}
          {...problem("object")}
        />
      </div>
      <PairRows
        label="Identifiers"
        hint="By which field the destination knows a record, and which column has it."
        pairs={identifiers}
        fields={object?.identifiers ?? []}
        closed={(object?.identifiers ?? []).length > 0}
        columns={columns}
        problems={below("identifiers")}
        onChange={setIdentifiers}
      />
      <div className="space-y-2">
        <PairRows
          label="Fields"
          hint="Which column is written into which field. Other columns never leave the warehouse."
          pairs={mapping}
          fields={object?.fields ?? []}
          closed={object?.closed ?? false}
          columns={columns}
          problems={below("mapping")}
          onChange={setMapping}
        />
        {columns.length > 0 ? (
          <button type="button" onClick={mapAll} className="text-sm text-accent underline underline-offset-2">
            Add every column that is left
          </button>
        ) : null}
        {rows.error ? (
          <PlaneTrouble
            error={rows.error}
            what={`the columns of ${sync.model}`}
            command={`weir model preview ${quoted(sync.model)} --workspace ${quoted(workspace.name)}`}
            onRetry={() => rows.refetch()}
          />
        ) : null}
      </div>
      <div className="grid gap-5 sm:grid-cols-2">
        <Select
          label="What it does"
          value={mode}
          values={modesFor(object).map((m) => ({ value: m, title: modes[m].title }))}
          onChange={(m) => put({ mode: m === "upsert" ? undefined : (m as Mode), removed: undefined })}
          {...problem("mode")}
        />
        <Select
          label="Records whose row is gone"
          value={sync.removed ?? ""}
          values={removalsFor(object, mode)}
          onChange={(r) => put({ removed: r === "" ? undefined : (r as NonNullable<Sync["removed"]>) })}
          {...problem("removed")}
        />
      </div>
      <ScheduleInput schedule={sync.schedule} onChange={(schedule) => put({ schedule })} problems={problems} />
      {isNew ? (
        <Check
          label="The destination has these rows already"
          hint="The first run sends nothing then; it only notes what is there."
          checked={sync.first === "assume"}
          onChange={(on) => put({ first: on ? "assume" : undefined })}
        />
      ) : (
        <Check
          label="Disabled"
          hint="It does not run."
          checked={sync.disabled ?? false}
          onChange={(on) => put({ disabled: on || undefined })}
        />
      )}
      <Adding
        pending={add.isPending}
        disabled={!isNew && same(now, opened)}
        error={add.error}
        others={Object.entries(problems)
          .filter(([at]) => !shown.test(at))
          .map(([, text]) => text)}
      />
    </form>
  );
}

/** The columns of an audience's rows: the features and scores of its profile. */
function goldenColumns(configured: Configured, model: Objects["model"]): string[] {
  const profile = configured.document.profiles?.find((p) => p.warehouse === model.warehouse);
  const entities = profile?.entities ?? [];
  const entity = profile?.audiences?.find((a) => a.name === model.audience)?.entity ?? entities[0]?.name;
  const all = [...(profile?.features ?? []), ...(profile?.scores ?? [])];
  const own = all.filter((f) => (f.entity ?? entities[0]?.name) === entity);
  return ["weir_id", ...own.map((f) => f.name)];
}

function choices(names: string[]) {
  return [{ value: "", title: "Choose…" }, ...names.map((n) => ({ value: n, title: n }))];
}

/** Without members that say nothing. */
function clean(s: Change): Sync {
  return Object.fromEntries(
    Object.entries(s).filter(
      ([, v]) =>
        v !== undefined && v !== false && !(typeof v === "object" && v !== null && Object.keys(v).length === 0),
    ),
  ) as Sync;
}
