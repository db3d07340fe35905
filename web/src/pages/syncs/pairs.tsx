import { Button } from "../../parts/button";
import { Icon } from "../../parts/icon";
import type { Field } from "./objects";

/** A field of the destination with the column that goes into it. */
export type Pair = { field: string; column: string };

type Props = {
  label: string;
  hint: string;
  pairs: Pair[];
  /** The fields that the destination names; others may be given unless closed. */
  fields: readonly Field[];
  closed: boolean;
  columns: readonly string[];
  problems: Readonly<Record<string, string>>;
  onChange: (pairs: Pair[]) => void;
};

const box = "h-9 w-full min-w-0 rounded-lg border border-edge bg-card px-3 text-sm text-ink";

/** Which column goes into which field, a row each. */
export function PairRows({ label, hint, pairs, fields, closed, columns, problems, onChange }: Props) {
  const lists = { field: `${label}-fields`, column: `${label}-columns` };
  const put = (i: number, change: Partial<Pair>) => onChange(pairs.map((p, n) => (n === i ? { ...p, ...change } : p)));
  const left = fields.filter((f) => !pairs.some((p) => p.field === f.name));
  return (
    <fieldset className="space-y-2">
      <legend className="text-sm font-medium">{label}</legend>
      <p className="text-sm text-soft">{hint}</p>
      <datalist id={lists.field}>
        {left.map((f) => (
          <option key={f.name} value={f.name}>
            {f.doc ?? ""}
          </option>
        ))}
      </datalist>
      <datalist id={lists.column}>
        {columns.map((c) => (
          <option key={c} value={c} />
        ))}
      </datalist>
      {pairs.map((p, i) => {
        const known = fields.find((f) => f.name === p.field);
        return (
          // biome-ignore lint/suspicious/noArrayIndexKey: rows are edited in place and have no other name
          <div key={i} className="space-y-1">
            <div className="grid grid-cols-[1fr_auto_1fr_auto] items-center gap-2">
              <input
                aria-label={`Column ${i + 1} of ${label}`}
                placeholder="column"
                list={lists.column}
                value={p.column}
                onChange={(e) => put(i, { column: e.target.value })}
                className={box}
              />
              <span aria-hidden="true" className="text-soft">
                →
              </span>
              {closed ? (
                <select
                  aria-label={`Field ${i + 1} of ${label}`}
                  value={p.field}
                  onChange={(e) => put(i, { field: e.target.value })}
                  className={box}
                >
                  <option value="">field…</option>
                  {fields.map((f) => (
                    <option key={f.name} value={f.name}>
                      {f.name}
                    </option>
                  ))}
                </select>
              ) : (
                <input
                  aria-label={`Field ${i + 1} of ${label}`}
                  placeholder="field"
                  list={lists.field}
                  value={p.field}
                  onChange={(e) => put(i, { field: e.target.value })}
                  className={box}
                />
              )}
              <Button
                onClick={() => onChange(pairs.filter((_, n) => n !== i))}
                aria-label={`Remove ${p.field || `row ${i + 1}`} of ${label}`}
              >
                <Icon name="close" />
              </Button>
            </div>
            {problems[p.field] ? (
              <p role="alert" className="text-sm text-bad">
                {problems[p.field]}
              </p>
            ) : known?.doc ? (
              <p className="text-xs text-soft">{known.doc}</p>
            ) : null}
          </div>
        );
      })}
      <Button onClick={() => onChange([...pairs, { field: "", column: "" }])}>
        <Icon name="plus" />
        Add to {label.toLowerCase()}
      </Button>
    </fieldset>
  );
}

export function pairsOf(of: Readonly<Record<string, string>> | undefined): Pair[] {
  return Object.entries(of ?? {}).map(([field, column]) => ({ field, column }));
}

/** Columns by field; pairs that are not whole are left out. */
export function recordOf(pairs: readonly Pair[]): Record<string, string> {
  return Object.fromEntries(pairs.filter((p) => p.field !== "" && p.column !== "").map((p) => [p.field, p.column]));
}
