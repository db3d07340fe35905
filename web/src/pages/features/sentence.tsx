import { Button } from "../../parts/button";
import { Icon } from "../../parts/icon";
import { ComparisonRow, type Name } from "../profiles/comparison-row";
import { comparison } from "../profiles/conditions";
import { Pick, pickLook } from "../profiles/pick";
import { type Columns, columnType, type Profile } from "../profiles/use-set";
import { Window } from "../profiles/window";
import { aggregates, type Kind, plain, whereText } from "../profiles/words";
import { type Form, of } from "./form";

type Props = {
  profile: Profile;
  columns: Columns;
  form: Form;
  /** Features that a formula may use. */
  features: readonly string[];
  put: (change: Partial<Form>) => void;
};

/** A feature as one sentence, whose words are chosen. */
export function Sentence({ profile, columns, form, features, put }: Props) {
  const inputs = profile.inputs.map((i) => ({ value: i.name, title: plain(i.name) }));
  const names = namesOf(columns, form.input);
  const own = columns?.find((i) => i.name === form.input);
  const rows = form.where.rows;
  return (
    <fieldset className="space-y-3">
      <legend className="mb-2 text-sm font-medium">What it is</legend>
      <div className="flex flex-wrap items-center gap-2 text-sm">
        <Pick
          label="What is computed"
          value={form.kind}
          values={aggregates.map((a) => ({ value: a.kind, title: a.begins }))}
          onChange={(kind) => put({ kind: kind as Kind })}
        />
        {form.kind === "ratio" ? <Ratio form={form} features={features} put={put} /> : null}
        {of(form.kind) === "column" ? (
          <>
            <ColumnPick label="Which value" names={names} value={form.column} onChange={(column) => put({ column })} />
            <span>of</span>
          </>
        ) : null}
        {of(form.kind) === "features" ? null : (
          <>
            <Pick
              label="Of which rows"
              value={form.input}
              values={inputs}
              onChange={(input) => put({ input, column: "", where: { join: "all", rows: [] } })}
            />
            <Window label="How far back" value={form.last} onChange={(last) => put({ last })} />
          </>
        )}
      </div>
      {form.kind === "sql" ? <Formula form={form} features={features} put={put} /> : null}
      {of(form.kind) === "features" ? null : (
        <>
          {own && own.columns.length === 0 ? (
            <p className="text-sm text-warn">
              There is no row of {plain(form.input)} in the warehouse yet, so it counts as nothing until the first one
              is loaded.
            </p>
          ) : null}
          {rows.map((r, i) => (
            <div key={r.id} className="flex flex-wrap items-center gap-2 text-sm">
              <span className="w-12 text-right text-soft">
                {i === 0 ? "where" : form.where.join === "any" ? "or" : "and"}
              </span>
              {r.what === "compare" ? (
                <ComparisonRow
                  label={`Condition ${i + 1}`}
                  row={r}
                  names={names}
                  values={{ profile: profile.name, input: form.input }}
                  onChange={(next) =>
                    put({ where: { ...form.where, rows: rows.map((x) => (x.id === r.id ? next : x)) } })
                  }
                />
              ) : (
                <span className="rounded-lg bg-sunken px-2.5 py-1.5">
                  {r.what === "other" ? whereText(r.where) : "has rows"}
                </span>
              )}
              <Button
                aria-label={`Remove condition ${i + 1}`}
                onClick={() => put({ where: { ...form.where, rows: rows.filter((x) => x.id !== r.id) } })}
              >
                <Icon name="close" />
              </Button>
            </div>
          ))}
          <Button onClick={() => put({ where: { ...form.where, rows: [...rows, comparison("", "text")] } })}>
            <Icon name="plus" />
            Add a condition
          </Button>
        </>
      )}
    </fieldset>
  );
}

/** What rows of an input can be compared by. */
export function namesOf(columns: Columns, input: string): Name[] {
  const own = columns?.find((i) => i.name === input)?.columns ?? [];
  return own.map((c) => ({ name: c.name, title: plain(c.name), type: columnType(columns, input, c.name) }));
}

function ColumnPick({
  label,
  names,
  value,
  onChange,
}: {
  label: string;
  names: readonly Name[];
  value: string;
  onChange: (v: string) => void;
}) {
  if (names.length === 0)
    return (
      <input
        aria-label={label}
        placeholder="column"
        value={value}
        onChange={(e) => onChange(e.target.value.trim())}
        className={`${pickLook} w-40`}
      />
    );
  const known = names.some((n) => n.name === value);
  return (
    <Pick
      label={label}
      value={value}
      values={[
        ...(known ? [] : [{ value, title: value === "" ? "choose…" : plain(value) }]),
        ...names.map((n) => ({ value: n.name, title: n.title })),
      ]}
      onChange={onChange}
    />
  );
}

function Ratio({ form, features, put }: Omit<Props, "profile" | "columns">) {
  const values = [{ value: "", title: "choose…" }, ...features.map((f) => ({ value: f, title: plain(f) }))];
  return (
    <>
      <Pick
        label="Divided"
        value={form.ratio[0]}
        values={values}
        onChange={(f) => put({ ratio: [f, form.ratio[1]] })}
      />
      <span>divided by</span>
      <Pick
        label="Divisor"
        value={form.ratio[1]}
        values={values}
        onChange={(f) => put({ ratio: [form.ratio[0], f] })}
      />
    </>
  );
}

function Formula({ form, features, put }: Omit<Props, "profile" | "columns">) {
  return (
    <div className="space-y-1.5">
      <input
        aria-label="Formula"
        autoComplete="off"
        placeholder="revenue_orders + revenue_subscriptions"
        value={form.sql}
        onChange={(e) => put({ sql: e.target.value })}
        className={`${pickLook} w-full max-w-xl font-mono`}
      />
      <p className="text-sm text-soft">
        Numbers and features with + − * / and brackets
        {features.length > 0 ? `: ${features.slice(0, 8).join(", ")}` : ""}.
      </p>
    </div>
  );
}
