import { useQuery } from "@tanstack/react-query";
import { actOn, type Reject, rejects } from "../../api/syncs";
import { Card } from "../../parts/section";
import { Waiting } from "../../parts/waiting";
import { When } from "../../parts/when";
import { keys } from "../../queries";
import { count } from "../flow";
import { reason } from "../live/reasons";
import { Act } from "../object/act";
import { PlaneTrouble, quoted } from "../plane-trouble";

const lookedAt = 1000; // rows that are grouped
const samples = 5;

/** Rows that the destination did not take, by the reason that it gave. */
export function Rejects({ workspace, sync }: { workspace: string; sync: string }) {
  const key = [...keys.syncs(workspace), "rejects", sync];
  const all = useQuery({ queryKey: key, queryFn: ({ signal }) => rejects(workspace, sync, lookedAt, signal) });
  if (all.isPending) return <Waiting what="the refused rows" />;
  if (all.error)
    return (
      <PlaneTrouble
        error={all.error}
        what="refused rows"
        command={`weir sync rejects ${quoted(sync)} --workspace ${quoted(workspace)}`}
        onRetry={() => all.refetch()}
      />
    );
  const again = (code: string, how: "retry" | "waive") =>
    `weir sync rejects ${quoted(sync)} --workspace ${quoted(workspace)} --code ${quoted(code)} --${how}`;
  const groups = new Map<string, Reject[]>();
  for (const r of all.data ?? []) groups.set(r.code, [...(groups.get(r.code) ?? []), r]);
  if (groups.size === 0) return <p className="text-sm text-soft">The destination took every row.</p>;
  return (
    <div className="space-y-3">
      {(all.data?.length ?? 0) >= lookedAt ? (
        <p className="text-sm text-soft">There are more; these are the first {count(lookedAt)}.</p>
      ) : null}
      {[...groups].map(([code, rows]) => (
        <Card key={code}>
          <section aria-label={`Refused: ${reason(code)}`} className="space-y-3 px-4 py-3 text-sm">
            <div className="flex flex-wrap items-start gap-3">
              <div className="min-w-0 flex-1">
                <p className="font-medium">
                  {count(rows.length)} {rows.length === 1 ? "row" : "rows"}: {reason(code)}
                </p>
                <p className="text-soft">
                  <code>{code}</code>, last <When at={newest(rows)} />
                  {rows.every((r) => r.waived) ? "; given up" : ""}
                </p>
              </div>
              <Act
                label="Try again"
                of={`rows with ${code}`}
                act={() => actOn(workspace, sync, "retry", { code })}
                command={again(code, "retry")}
                changed={keys.syncs(workspace)}
              />
              <Act
                label="Give up"
                of={`rows with ${code}`}
                act={() => actOn(workspace, sync, "waive", { code })}
                command={again(code, "waive")}
                changed={keys.syncs(workspace)}
              />
            </div>
            <ul aria-label="Some of them" className="divide-y divide-line">
              {rows.slice(0, samples).map((r) => (
                <li key={`${r.op} ${r.key}`} className="flex flex-wrap gap-x-4 gap-y-1 py-1.5">
                  <span className="font-mono text-[13px] break-all">{r.key}</span>
                  <span className="text-soft">
                    {r.op}, tried {count(r.tries)} {r.tries === 1 ? "time" : "times"}
                    {r.waived ? (
                      ""
                    ) : (
                      <>
                        , again <When at={r.due} whole />
                      </>
                    )}
                  </span>
                </li>
              ))}
            </ul>
          </section>
        </Card>
      ))}
    </div>
  );
}

function newest(rows: readonly Reject[]): string {
  return (
    rows
      .map((r) => r.at)
      .sort()
      .at(-1) ?? ""
  );
}
