import type { Preview } from "../../api/profiles";
import { useWorkspace } from "../../frame/place";
import { Link } from "../../parts/link";
import { plain } from "./words";

/** Ten customers, each with what a feature is for him; without a name they are of an audience. */
export function Examples({ rows, name, query }: { rows: Preview["rows"]; name?: string; query: string }) {
  const workspace = useWorkspace();
  if (!rows || rows.length === 0) return null;
  return (
    <table className="w-full text-left text-sm">
      <caption className="pb-1 text-left text-xs font-medium text-soft">
        {rows.length === 1 ? "One of them" : `${rows.length} of them`}
      </caption>
      <thead className={name === undefined ? "sr-only" : "text-xs text-soft"}>
        <tr>
          <th scope="col" className="py-1 pr-4 font-medium">
            Customer
          </th>
          {name === undefined ? null : (
            <th scope="col" className="py-1 font-medium">
              {plain(name)}
            </th>
          )}
        </tr>
      </thead>
      <tbody>
        {rows.map((r) => (
          <tr key={r.weir_id} className="border-t border-line">
            <td className="py-1.5 pr-4">
              <Link href={`${workspace.path("customers", `weir_id:${r.weir_id}`)}${query}`}>{r.weir_id}</Link>
            </td>
            {name === undefined ? null : <td className="max-w-60 truncate py-1.5">{shown(r.value)}</td>}
          </tr>
        ))}
      </tbody>
    </table>
  );
}

const number = new Intl.NumberFormat(undefined, { maximumSignificantDigits: 6 });

/** A value as people read it: a fraction without the digits that say nothing. */
function shown(value: string): string {
  return /^-?\d+\.\d+$/.test(value) ? number.format(Number(value)) : value;
}
