import { useState } from "react";
import type { Configured } from "../../draft/configured";
import { same } from "../../draft/edits";
import { useWorkspace } from "../../frame/place";
import { Input as TextInput } from "../../parts/input";
import { Section } from "../../parts/section";
import { Waiting } from "../../parts/waiting";
import { RulePreview } from "../identity/rule-preview";
import { Adding } from "../object/adding";
import { PlaneTrouble, quoted } from "../plane-trouble";
import { useMember, withMember } from "../profiles/use-member";
import type { Profile } from "../profiles/use-set";
import { plain } from "../profiles/words";
import { allColumns } from "../warehouses/tables";
import { BesideNotice } from "./beside-notice";
import { ColumnTable } from "./column-table";
import {
  type Columns,
  type Form,
  formOf,
  type Input,
  inputOf,
  missing,
  parted,
  rowsOf,
  suggested,
  typesOf,
  withTypes,
} from "./form";
import type { Proposal } from "./propose";
import { RowCounts } from "./row-counts";
import { RowsChoice } from "./rows-choice";
import { TimeFields } from "./time-fields";
import { useChoices, useLook } from "./use-look";

type Props = {
  configured: Configured;
  profile: Profile;
  /** Absent for a new one. */
  opened?: Input;
  /** Whether something uses its name, which then stays. */
  used?: boolean;
  onDone: (name: string) => void;
};

/** An input of profiles to add or to change: which rows, and what their columns are, as they look in the warehouse. */
export function InputForm({ configured, profile, opened, used = false, onDone }: Props) {
  const workspace = useWorkspace();
  const [form, setForm] = useState<Form>(() => (opened ? formOf(opened) : { rows: "" }));
  const [alone, setAlone] = useState(false);
  const { add, problems } = useMember({ list: "inputs", configured, profile, was: opened?.name, onDone });
  const all = useChoices(configured.document, profile.warehouse);
  const put = (change: Partial<Form>) => setForm((f) => ({ ...f, ...change }));

  const { events, name: of } = parted(form.rows);
  const table = of.toLowerCase().replace(/[^a-z0-9]+/g, "_");
  const choice = all.choices.find((c) => c.rows === form.rows || (events && c.rows === `events:${table}`));
  const looked = useLook(profile, choice, all.choices, all.data ?? []);
  const proposal = looked.data?.proposal;
  const columns = choice?.table?.columns.filter((c) => !/^context_(source|destination)_/.test(c.name));
  const types = typesOf(profile.entities);
  const unsaid = opened && !opened.ids ? types.filter((t) => columns?.some((c) => c.name === t)) : undefined;
  const chosen: Columns = {
    at: form.at ?? proposal?.at ?? "",
    changed: form.changed ?? proposal?.changed ?? "",
    known: form.known ?? "",
    row: form.row ?? proposal?.row ?? "",
    ids: form.ids ?? unsaid?.map((t) => ({ type: t, column: t })) ?? proposal?.ids ?? [],
  };
  const taken = profile.inputs.map((i) => i.name).filter((n) => n !== opened?.name);
  const name = form.name ?? suggested(form.rows, choice?.source ?? "", taken);
  const rows = events && looked.data?.event && choice?.rows === form.rows ? `events:${looked.data.event}` : form.rows;
  const unread = opened && !opened.ids && form.ids === undefined; // its identifiers stay what it does not say
  const made = inputOf(
    name,
    rows,
    unread ? { ...chosen, ids: [] } : chosen,
    types,
    columns?.map((c) => c.name),
  );
  const fresh = [...new Set(chosen.ids.map((p) => p.type))].filter((t) => !types.includes(t));
  const offered = opened ? undefined : besideOf(proposal?.beside, chosen.ids);
  const joined = alone ? undefined : offered;
  const also = (p: Profile): Profile => {
    const next = withTypes(p, fresh);
    return joined ? { ...next, inputs: [...next.inputs, named(joined.input, [...taken, name])] } : next;
  };
  const next = also(withMember(profile, "inputs", opened?.name, made));
  const found = missing(
    { ...chosen, ids: unread ? [{ type: "", column: "" }] : chosen.ids, name, rows: form.rows },
    taken,
    [...types, ""],
  );
  const statements = (configured.document.models ?? [])
    .filter((m) => m.warehouse === profile.warehouse && m.sql)
    .map((m) => m.name);
  const published = configured.published.profiles?.some((p) => p.name === profile.name) ?? false;
  const shownAt = ["name", "rows", "at", "changed", "known", "row", "ids"];
  const others = Object.entries(problems).filter(([at]) => !shownAt.includes(at) && !at.startsWith("ids."));
  return (
    <form
      noValidate
      className="max-w-4xl space-y-8"
      onSubmit={(e) => {
        e.preventDefault();
        add.mutate({ object: made, found, also });
      }}
    >
      {all.error ? (
        <PlaneTrouble
          error={all.error}
          what="the tables of the warehouse"
          command={`weir query ${quoted(profile.warehouse)} ${quoted(allColumns.replaceAll(/\s+/g, " "))} --workspace ${quoted(workspace.name)}`}
          onRetry={() => all.refetch()}
        />
      ) : null}
      <RowsChoice
        choices={all.choices}
        rows={choice && choice.rows !== form.rows ? choice.rows : form.rows}
        taken={new Map(profile.inputs.filter((i) => i.name !== opened?.name).map((i) => [rowsOf(i), i.name]))}
        problem={problems.rows}
        onChange={(r) => setForm({ rows: r, ...(opened ? { name: opened.name } : {}) })}
      />
      {of === "" && statements.length > 0 ? (
        <p className="text-sm text-soft">
          {statements.length === 1 ? "The model" : "The models"} {statements.join(", ")} cannot be chosen: profiles read
          tables and views, not statements. Make a view of the statement in the warehouse, and choose that.
        </p>
      ) : null}
      {of !== "" && all.isPending ? <Waiting what="the tables of the warehouse" /> : null}
      {of === "" || all.isPending ? null : (
        <>
          {choice?.table && looked.isPending ? <Waiting what="some of its rows" /> : null}
          {looked.error ? (
            <PlaneTrouble
              error={looked.error}
              what="its rows"
              command={`weir query ${quoted(profile.warehouse)} ${quoted(`select * from ${of} limit 20`)} --workspace ${quoted(workspace.name)}`}
              onRetry={() => looked.refetch()}
            />
          ) : null}
          <Section
            title="What each column is"
            hint="Values straight from your warehouse; they stay between you and the plane."
          >
            {columns && looked.data ? (
              <ColumnTable
                columns={columns}
                rows={looked.data.rows}
                chosen={chosen}
                types={types}
                matches={proposal?.matches ?? []}
                problems={problems}
                fresh={(c) => newType(choice?.source ?? "", c, types)}
                onChange={(ids) => put({ ids })}
              />
            ) : null}
            {columns ? null : <TypedIds ids={chosen.ids} types={types} onChange={(ids) => put({ ids })} />}
            {problems.ids ? (
              <p role="alert" className="text-sm text-bad">
                {problems.ids}
              </p>
            ) : null}
            {fresh.length > 0 ? (
              <p className="text-sm text-soft">
                {fresh.map(plain).join(", ")} becomes an identifier of customers. Its rules stand under Identifiers.
              </p>
            ) : null}
            {offered ? <BesideNotice beside={offered} checked={!alone} onChange={(on) => setAlone(!on)} /> : null}
          </Section>
          <TimeFields rows={form.rows} columns={columns} chosen={chosen} problems={problems} onChange={put} />
          <div className="max-w-sm">
            <TextInput
              label="Name"
              hint={
                used
                  ? "Features, scores or audiences use this name, so it stays."
                  : "What forms call these rows, such as tickets."
              }
              value={name}
              disabled={used}
              onChange={(e) => put({ name: e.target.value })}
              {...(problems.name ? { problem: problems.name } : {})}
            />
          </div>
          {choice?.table && looked.data ? (
            <Section title="What is in it">
              {events && of === "*" ? null : (
                <RowCounts warehouse={profile.warehouse} table={choice.table} rows={form.rows} chosen={chosen} />
              )}
              {published ? null : (
                <p className="text-sm text-soft">
                  Once these profiles are published, this shows who would be joined by it, before it is added.
                </p>
              )}
            </Section>
          ) : null}
          {published && Object.keys(found).length === 0 && !same(next, profile) ? (
            <RulePreview
              profile={profile.name}
              entities={next.entities}
              inputs={next.inputs}
              words={{ title: "Who would be joined by it", act: "Try it on real data" }}
            />
          ) : null}
        </>
      )}
      <Adding
        pending={add.isPending}
        disabled={opened !== undefined && same(next, profile)}
        error={add.error}
        others={others.map(([, text]) => text)}
      />
    </form>
  );
}

/** The table that says whose identifiers of a new kind are, under the name that the kind has by now. */
function besideOf(beside: Proposal["beside"], ids: Columns["ids"]): Proposal["beside"] {
  const type = ids.find((p) => p.column === beside?.column)?.type;
  if (!beside || type === undefined) return undefined;
  const renamed = Object.entries(beside.input.ids ?? {}).map(([t, c]) => [t === beside.type ? type : t, c]);
  return { ...beside, type, input: { ...beside.input, ids: Object.fromEntries(renamed) } };
}

/** An input under a name that no other one has. */
function named(i: Input, taken: readonly string[]): Input {
  for (let n = 1; ; n++) {
    const name = n === 1 ? i.name : `${i.name}_${n}`;
    if (!taken.includes(name)) return { ...i, name };
  }
}

/** What a new kind of identifiers in a column is called. */
function newType(source: string, column: string, types: readonly string[]): string {
  const base = (source === "" ? column : `${source}_id`)
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "_")
    .replace(/^[^a-z]+|_+$/g, "");
  return types.includes(base) ? `${base}_2` : base || "other_id";
}

/** Which columns are identifiers, of rows that are not there yet. */
function TypedIds({
  ids,
  types,
  onChange,
}: {
  ids: Columns["ids"];
  types: string[];
  onChange: (ids: Columns["ids"]) => void;
}) {
  return (
    <>
      <p className="text-sm text-soft">
        These rows are not in the warehouse yet, so their columns are not known. Say them by name:
      </p>
      <div className="grid gap-4 sm:grid-cols-3">
        {types.map((t) => (
          <TextInput
            key={t}
            label={`Column of ${plain(t)}`}
            optional
            value={ids.find((p) => p.type === t)?.column ?? ""}
            onChange={(e) => {
              const rest = ids.filter((p) => p.type !== t);
              onChange(e.target.value === "" ? rest : [...rest, { type: t, column: e.target.value.trim() }]);
            }}
          />
        ))}
      </div>
    </>
  );
}
