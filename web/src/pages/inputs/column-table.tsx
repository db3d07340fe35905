import { Badge } from "../../parts/badge";
import { Pick, pickLook } from "../profiles/pick";
import { plain } from "../profiles/words";
import type { Columns, Pair } from "./form";
import { kindOf, type Proposal, samplesOf } from "./propose";

type Props = {
  columns: readonly { name: string; type: string }[];
  rows: readonly Record<string, unknown>[];
  chosen: Columns;
  types: readonly string[];
  matches: Proposal["matches"];
  problems: Readonly<Record<string, string>>;
  /** What a new kind of identifiers is called unless somebody says otherwise. */
  fresh: (column: string) => string;
  onChange: (ids: Pair[]) => void;
};

const words: Record<ReturnType<typeof kindOf>, string> = { time: "time", number: "number", text: "text", other: "" };

/** The columns of rows with values of theirs, and of each whether it names somebody. */
export function ColumnTable({ columns, rows, chosen, types, matches, problems, fresh, onChange }: Props) {
  const { ids } = chosen;
  const put = (column: string, type: string) => {
    const rest = ids.filter((p) => p.column !== column && p.type !== type);
    onChange(type === "" ? rest : [...rest, { type, column }]);
  };
  return (
    <div className="overflow-x-auto rounded-xl border border-line bg-card shadow-xs">
      <table className="w-full text-left text-sm">
        <caption className="sr-only">Columns</caption>
        <thead className="text-xs text-soft">
          <tr>
            <th scope="col" className="px-4 py-2 font-medium">
              Column
            </th>
            <th scope="col" className="px-4 py-2 font-medium max-sm:hidden">
              Such as
            </th>
            <th scope="col" className="px-4 py-2 font-medium">
              It is
            </th>
          </tr>
        </thead>
        <tbody>
          {columns.map((c) => {
            const own = ids.filter((p) => p.column === c.name);
            const type = own[0]?.type ?? "";
            const isNew = type !== "" && !types.includes(type);
            const kind = kindOf(c.type);
            const samples = samplesOf(rows, c.name, kind === "time" ? 1 : 3).join(", ") || "–";
            const match = matches.find((m) => m.column === c.name);
            return (
              <tr key={c.name} className="border-t border-line align-top">
                <th scope="row" className="px-4 py-2 font-normal">
                  <span className="font-medium break-all">{c.name}</span>{" "}
                  <span className="text-xs text-soft">{words[kind]}</span>
                  <span className="line-clamp-2 break-all text-soft sm:hidden">{samples}</span>
                </th>
                <td className="max-w-64 px-4 py-2 text-soft max-sm:hidden">
                  <span className="line-clamp-2 break-words">{samples}</span>
                </td>
                <td className="px-4 py-2">
                  <div className="flex flex-wrap items-center gap-2">
                    {type !== "" || kind === "text" || kind === "number" ? (
                      <Pick
                        label={`${c.name} is`}
                        value={isNew ? "new" : type}
                        values={[
                          { value: "", title: "no identifier" },
                          ...types.map((t) => ({ value: t, title: plain(t) })),
                          { value: "new", title: "a new kind of identifier" },
                        ]}
                        onChange={(v) => put(c.name, v === "new" ? fresh(c.name) : v)}
                      />
                    ) : null}
                    {isNew ? (
                      <input
                        aria-label={`Name of the new kind of identifier in ${c.name}`}
                        value={type.trim()}
                        onChange={(e) => put(c.name, e.target.value || " ")}
                        className={`${pickLook} w-36`}
                      />
                    ) : null}
                    {chosen.at === c.name ? <Badge tone="quiet">when it was</Badge> : null}
                    {chosen.changed === c.name ? <Badge tone="quiet">when it changed</Badge> : null}
                    {(chosen.row || "id") === c.name ? <Badge tone="quiet">names the row</Badge> : null}
                    {own.length > 1 ? (
                      <Badge tone="quiet">
                        also{" "}
                        {own
                          .slice(1)
                          .map((p) => p.type)
                          .join(", ")}
                      </Badge>
                    ) : null}
                  </div>
                  {match ? (
                    <p className="mt-1 text-xs text-soft">
                      {match.hit} of {match.of} values are {match.target}
                    </p>
                  ) : null}
                  {problems[`ids.${c.name}`] ? (
                    <p role="alert" className="mt-1 text-sm text-bad">
                      {problems[`ids.${c.name}`]}
                    </p>
                  ) : null}
                </td>
              </tr>
            );
          })}
        </tbody>
      </table>
    </div>
  );
}
