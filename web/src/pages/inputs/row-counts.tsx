import { useQuery } from "@tanstack/react-query";
import { query } from "../../api/warehouse";
import { useWorkspace } from "../../frame/place";
import { useSettled } from "../../parts/settled";
import { When } from "../../parts/when";
import { keys } from "../../queries";
import { count } from "../flow";
import { PlaneTrouble, quoted } from "../plane-trouble";
import { plain } from "../profiles/words";
import { quotedName, type Table } from "../warehouses/tables";
import { named } from "./choices";
import { type Columns, parted } from "./form";

type Props = { warehouse: string; table: Table; rows: string; chosen: Columns };

/** How many of all rows name somebody, and by what, as the warehouse counts them. */
export function RowCounts({ warehouse, table, rows, chosen }: Props) {
  const { name: workspace } = useWorkspace();
  const time = parted(rows).events ? "received_at" : chosen.at;
  const has = (c: string) => table.columns.some((x) => x.name === c);
  const ids = chosen.ids.filter((p) => has(p.column));
  const filled = (c: string) => `nullif(cast(${quotedName(c)} as varchar), '')`;
  const sql = useSettled(
    `select count(*) as n, ${has(time) ? `cast(max(${quotedName(time)}) as varchar)` : "null"} as newest, ${
      ids.length > 0 ? `count(coalesce(${ids.map((p) => filled(p.column)).join(", ")}))` : "0"
    } as named${ids.map((p, i) => `, count(distinct ${filled(p.column)}) as d${i}`).join("")} from ${named(table)}`,
  );
  const found = useQuery({
    queryKey: [...keys.loads(workspace, warehouse), "counts", sql],
    queryFn: async () => (await query(workspace, warehouse, sql, 2)).rows[0] ?? {},
    staleTime: 60_000,
  });
  if (found.error)
    return (
      <PlaneTrouble
        error={found.error}
        what="how many rows there are"
        command={`weir query ${quoted(warehouse)} ${quoted(sql)} --workspace ${quoted(workspace)}`}
        onRetry={() => found.refetch()}
      />
    );
  const r = found.data;
  if (!r) return <p className="text-sm text-soft">Counting…</p>;
  const [n, some] = [Number(r.n), Number(r.named)];
  const newest = typeof r.newest === "string" ? r.newest.replace(" ", "T").replace(/([+-]\d\d)$/, "$1:00") : "";
  return (
    <dl className="grid gap-x-6 gap-y-3 text-sm sm:grid-cols-3">
      <Fact title="Rows" text={count(n)} />
      <Fact
        title="Name somebody"
        text={n === 0 ? "–" : `${count(some)} (${Math.round((some / n) * 100)} %)`}
        warn={n > 0 && some < n / 2}
      />
      <div>
        <dt className="text-xs text-soft">Newest</dt>
        <dd className="font-medium">{newest ? <When at={newest} /> : "–"}</dd>
      </div>
      {ids.map((p, i) => (
        <Fact key={p.type} title={`Different ${plain(p.type)}`} text={count(Number(r[`d${i}`]))} />
      ))}
    </dl>
  );
}

function Fact({ title, text, warn = false }: { title: string; text: string; warn?: boolean }) {
  return (
    <div>
      <dt className="text-xs text-soft">{title}</dt>
      <dd className={`font-medium tabular-nums ${warn ? "text-warn" : ""}`}>{text}</dd>
    </div>
  );
}
