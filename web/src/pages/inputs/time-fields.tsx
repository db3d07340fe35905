import { Input, Select } from "../../parts/input";
import { type Columns, parted } from "./form";
import { kindOf } from "./propose";

type Props = {
  rows: string;
  /** Undefined when nobody knows them. */
  columns: readonly { name: string; type: string }[] | undefined;
  chosen: Columns;
  problems: Readonly<Record<string, string>>;
  onChange: (change: Partial<Columns>) => void;
};

/** Which columns of a table have times, and which one names a row; of events these are known. */
export function TimeFields({ rows, columns, chosen, problems, onChange }: Props) {
  const field = (name: keyof Omit<Columns, "ids">, label: string, hint: string, none: string, time: boolean) => {
    const problem = problems[name] ? { problem: problems[name] } : {};
    if (!columns)
      return (
        <Input
          label={label}
          hint={hint}
          optional={none !== ""}
          value={chosen[name]}
          onChange={(e) => onChange({ [name]: e.target.value.trim() })}
          {...problem}
        />
      );
    const fitting = columns.filter((c) => !time || kindOf(c.type) === "time").map((c) => c.name);
    const values = [...fitting, ...(fitting.includes(chosen[name]) || chosen[name] === "" ? [] : [chosen[name]])];
    return (
      <Select
        label={label}
        hint={hint}
        value={chosen[name]}
        values={[{ value: "", title: none || "Choose…" }, ...values.map((v) => ({ value: v, title: v }))]}
        onChange={(v) => onChange({ [name]: v })}
        {...problem}
      />
    );
  };
  const known = (
    <details className="text-sm" open={chosen.known !== "" || problems.known !== undefined}>
      <summary className="cursor-pointer text-soft">For scores that learn from the past</summary>
      <div className="mt-3 max-w-sm">
        {field(
          "known",
          "When somebody could know a row",
          "at means: when it happened, as of old events that were imported at once.",
          parted(rows).events ? "When it was received" : "When it last changed",
          true,
        )}
      </div>
    </details>
  );
  if (parted(rows).events) return known;
  return (
    <div className="space-y-3">
      <div className="grid gap-4 sm:grid-cols-3">
        {field("at", "When it was", "What “in the last 7 days” looks at.", "", false)}
        {field(
          "changed",
          "When a row last changed",
          "With it, only new and changed rows are read.",
          "No column: all rows are read each time",
          true,
        )}
        {field("row", "What names a row", "Another value in each row.", "id", false)}
      </div>
      {known}
    </div>
  );
}
