import type { Rows } from "../../api/warehouse";
import { Button } from "../../parts/button";
import { csvOf } from "./csv";

/** Rows of a query under their columns. */
export function RowTable({ rows, ending, name }: Rows & { name: string }) {
  const columns = [...new Set(rows.flatMap((r) => Object.keys(r)))];
  const count = rows.length === 1 ? "One row." : `${rows.length} rows.`;
  return (
    <div className="space-y-2">
      <div className="flex flex-wrap items-center justify-between gap-3">
        <p role="status" className="text-sm text-soft">
          {rows.length === 0 ? "No rows: the query ran and found nothing." : count} {ending}
        </p>
        {rows.length > 0 ? (
          <Button onClick={() => save(`${name}.csv`, csvOf(columns, rows))}>Save as CSV</Button>
        ) : null}
      </div>
      {rows.length > 0 ? (
        <section
          aria-label="Rows"
          // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard
          tabIndex={0}
          className="max-h-128 overflow-auto rounded-xl border border-line bg-card"
        >
          <table aria-label="Rows" className="w-full text-left font-mono text-[13px]">
            <thead className="sticky top-0 bg-sunken">
              <tr>
                {columns.map((c) => (
                  <th key={c} scope="col" className="px-3 py-2 font-medium whitespace-nowrap">
                    {c}
                  </th>
                ))}
              </tr>
            </thead>
            <tbody className="divide-y divide-line">
              {rows.map((r, i) => (
                // biome-ignore lint/suspicious/noArrayIndexKey: rows have no name and never move
                <tr key={i}>
                  {columns.map((c) => (
                    <td key={c} className="max-w-96 truncate px-3 py-1.5">
                      <Cell value={r[c]} />
                    </td>
                  ))}
                </tr>
              ))}
            </tbody>
          </table>
        </section>
      ) : null}
    </div>
  );
}

/** Has the browser keep a text as a file. */
function save(name: string, text: string) {
  const address = URL.createObjectURL(new Blob([text], { type: "text/csv;charset=utf-8" }));
  const link = document.createElement("a");
  link.href = address;
  link.download = name;
  link.click();
  URL.revokeObjectURL(address);
}

function Cell({ value }: { value: unknown }) {
  if (value === null || value === undefined) return <span className="text-soft italic">null</span>;
  return typeof value === "string" ? value : JSON.stringify(value);
}
