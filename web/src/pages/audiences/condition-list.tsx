import { Button } from "../../parts/button";
import { Icon } from "../../parts/icon";
import { namesOf } from "../features/sentence";
import { count } from "../flow";
import { ComparisonRow, type Name } from "../profiles/comparison-row";
import { type Comparison, type Conditions, comparison, type Did, fresh, type Row } from "../profiles/conditions";
import { Pick, pickLook } from "../profiles/pick";
import type { Columns, Profile } from "../profiles/use-set";
import { Window } from "../profiles/window";
import { plain, whereText } from "../profiles/words";

type Props = {
  profile: Profile;
  columns: Columns;
  features: readonly Name[];
  conditions: Conditions;
  /** How many customers fulfil each row; absent while nobody knows. */
  sizes: readonly number[] | undefined;
  onChange: (c: Conditions) => void;
};

/** Who is in an audience: rows that all have to hold, or one of which is enough, each with how many customers it has. */
export function ConditionList({ profile, columns, features, conditions, sizes, onChange }: Props) {
  const { rows, join } = conditions;
  const put = (row: Row) => onChange({ join, rows: rows.map((r) => (r.id === row.id ? row : r)) });
  const add = (row: Row) => onChange({ join, rows: [...rows, row] });
  return (
    <fieldset className="space-y-3">
      <legend className="mb-2 text-sm font-medium">Who is in it</legend>
      <div className="flex flex-wrap items-center gap-2 text-sm">
        <span>Customers for whom</span>
        <Pick
          label="How conditions go together"
          value={join}
          values={[
            { value: "all", title: "all of these hold" },
            { value: "any", title: "any of these holds" },
          ]}
          onChange={(v) => onChange({ join: v === "any" ? "any" : "all", rows })}
        />
      </div>
      <ol className="space-y-2">
        {rows.map((r, i) => (
          <li key={r.id} className="flex items-start gap-3 rounded-xl border border-line bg-card px-3 py-2.5 text-sm">
            <div className="flex min-w-0 flex-1 flex-wrap items-center gap-2">
              {r.what === "compare" ? (
                <ComparisonRow label={`Condition ${i + 1}`} row={r} names={features} onChange={put} />
              ) : r.what === "did" ? (
                <DidRow label={`Condition ${i + 1}`} row={r} profile={profile} columns={columns} onChange={put} />
              ) : (
                <span className="rounded-lg bg-sunken px-2.5 py-1.5">{whereText(r.where)}</span>
              )}
            </div>
            <span className="flex shrink-0 items-center gap-2">
              {sizes?.[i] === undefined ? null : (
                <span className="text-soft tabular-nums" title="Customers who fulfil this condition by itself">
                  {count(sizes[i])}
                  <span className="sr-only"> customers</span>
                </span>
              )}
              <Button
                aria-label={`Remove condition ${i + 1}`}
                onClick={() => onChange({ join, rows: rows.filter((x) => x.id !== r.id) })}
              >
                <Icon name="close" />
              </Button>
            </span>
          </li>
        ))}
      </ol>
      <div className="flex flex-wrap gap-2">
        <Button onClick={() => add(comparison("", "text"))}>
          <Icon name="plus" />
          What is known of them
        </Button>
        <Button onClick={() => add(newDid(profile))}>
          <Icon name="plus" />
          What they did, or did not do
        </Button>
      </div>
    </fieldset>
  );
}

function newDid(profile: Profile): Did {
  const input = profile.inputs[0]?.name ?? "";
  return { id: fresh(), what: "did", not: false, input, last: "30d", times: 1, where: [] };
}

type DidProps = {
  label: string;
  row: Did;
  profile: Profile;
  columns: Columns;
  onChange: (row: Did) => void;
};

/** That customers have rows of an input, or have none. */
function DidRow({ label, row, profile, columns, onChange }: DidProps) {
  const names = namesOf(columns, row.input);
  const setWhere = (where: Comparison[]) => onChange({ ...row, where });
  return (
    <>
      <Pick
        label={`${label}: did or did not`}
        value={row.not ? "not" : "did"}
        values={[
          { value: "did", title: "have" },
          { value: "not", title: "do not have" },
        ]}
        onChange={(v) => onChange({ ...row, not: v === "not" })}
      />
      <span>at least</span>
      <input
        aria-label={`${label}: how often`}
        inputMode="numeric"
        value={row.times === 0 ? "" : row.times}
        onChange={(e) => onChange({ ...row, times: Number(e.target.value.replace(/\D/g, "").slice(0, 6)) })}
        className={`${pickLook} w-14`}
      />
      <Pick
        label={`${label}: of what`}
        value={row.input}
        values={profile.inputs.map((i) => ({ value: i.name, title: plain(i.name) }))}
        onChange={(input) => onChange({ ...row, input, where: [] })}
      />
      <Window label={`${label}: how far back`} value={row.last} onChange={(last) => onChange({ ...row, last })} />
      {row.where.map((w, k) => (
        <span key={w.id} className="flex flex-wrap items-center gap-2">
          <span className="text-soft">{k === 0 ? "where" : "and"}</span>
          <ComparisonRow
            label={`${label}, detail ${k + 1}`}
            row={w}
            names={names}
            values={{ profile: profile.name, input: row.input }}
            onChange={(next) => setWhere(row.where.map((x) => (x.id === w.id ? next : x)))}
          />
          <Button
            aria-label={`Remove detail ${k + 1} of condition`}
            onClick={() => setWhere(row.where.filter((x) => x.id !== w.id))}
          >
            <Icon name="close" />
          </Button>
        </span>
      ))}
      <Button
        aria-label={`Add a detail to ${label.toLowerCase()}`}
        onClick={() => setWhere([...row.where, comparison("", "text")])}
      >
        <Icon name="plus" />
        where…
      </Button>
    </>
  );
}
