import { useId, useState } from "react";
import { Input, Labelled } from "../../parts/input";
import type { Choice } from "./choices";
import { parted } from "./form";

const groups = ["Events", "Pulled sources", "Models", "Tables"] as const;

type Props = {
  choices: readonly Choice[];
  /** "" before one chose. */
  rows: string;
  /** Inputs by the rows that they have: these are not offered again. */
  taken: ReadonlyMap<string, string>;
  problem: string | undefined;
  onChange: (rows: string) => void;
};

/** Which rows an input has: events, what a pulled source brings, what a model reads, or another table. */
export function RowsChoice({ choices, rows, taken, problem, onChange }: Props) {
  const id = useId();
  const [typing, setTyping] = useState(false);
  const known = choices.some((c) => c.rows === rows);
  const { events, name } = parted(rows);
  return (
    <div className="max-w-xl space-y-3">
      <Labelled
        id={id}
        label="Which rows"
        hint="Events, what sources that Weir pulls brought, what models read, and every other table of the warehouse."
        {...(problem ? { problem } : {})}
      >
        <select
          id={id}
          value={typing ? "other" : rows}
          aria-describedby={`${id}-hint`}
          onChange={(e) => {
            setTyping(e.target.value === "other");
            onChange(e.target.value === "other" ? "from:" : e.target.value);
          }}
          className={`h-9 w-full rounded-lg border bg-card px-3 text-sm text-ink ${problem ? "border-bad" : "border-edge"}`}
        >
          <option value="">Choose…</option>
          {rows !== "" && !known && !typing ? (
            <option value={rows}>{events ? `The event ${name}` : name}</option>
          ) : null}
          {groups.map((g) => {
            const own = choices.filter((c) => c.group === g);
            if (own.length === 0) return null;
            return (
              <optgroup key={g} label={g}>
                {own.map((c) => {
                  const by = taken.get(c.rows);
                  return (
                    <option key={c.rows} value={c.rows} disabled={by !== undefined && c.rows !== rows}>
                      {c.title}
                      {by !== undefined ? ` – is the input ${by}` : ""}
                    </option>
                  );
                })}
              </optgroup>
            );
          })}
          <option value="other">Something that is not there yet…</option>
        </select>
      </Labelled>
      {typing ? (
        <div className="grid gap-4 sm:grid-cols-2">
          <Input
            label="Table"
            placeholder="schema.table"
            value={events ? "" : name}
            onChange={(e) => onChange(`from:${e.target.value.trim()}`)}
          />
          <Input
            label="Or an event's name"
            placeholder="Order Completed"
            value={events ? name : ""}
            onChange={(e) => onChange(e.target.value === "" ? "from:" : `events:${e.target.value}`)}
          />
        </div>
      ) : null}
    </div>
  );
}
