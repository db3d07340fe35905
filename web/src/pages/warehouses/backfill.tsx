import { useQuery } from "@tanstack/react-query";
import { type Backfill, backfills } from "../../api/warehouse";
import { Badge, type Tone } from "../../parts/badge";
import { Card } from "../../parts/section";
import { ago } from "../../parts/time";
import { keys } from "../../queries";
import { reason } from "../live/reasons";

const states: Record<string, string> = { running: "Copying", done: "Copied", stopped: "Stopped", failed: "Incomplete" };
const tones: Record<string, Tone> = { done: "good", failed: "bad" };
const number = new Intl.NumberFormat("en");

/** The newest backfill of a warehouse, how far it is; nothing where there was none. */
export function Backfilled({ workspace, destination }: { workspace: string; destination: string }) {
  const all = useQuery({
    queryKey: [...keys.loads(workspace, ""), "backfills"],
    queryFn: ({ signal }) => backfills(workspace, signal),
    refetchInterval: (q) => (q.state.data?.some((b) => b.state === "running") ? 2000 : 30_000),
    retry: false,
  });
  const found = all.data?.find((b) => b.destination === destination);
  return found ? <Row backfill={found} /> : null;
}

function Row({ backfill: b }: { backfill: Backfill }) {
  const done = b.tables.filter((t) => t.state === "done" || t.state === "failed").length;
  const left = b.tables.filter((t) => t.code !== "");
  return (
    <Card>
      <div className="space-y-2 px-4 py-3 text-sm">
        <p className="flex flex-wrap items-center gap-x-3 gap-y-1">
          <span className="font-medium">Rows of {b.from}</span>
          <Badge tone={tones[b.state] ?? "quiet"}>{states[b.state] ?? b.state}</Badge>
          <span className="text-soft">Begun {ago(new Date(b.created), new Date())}</span>
        </p>
        {b.state === "running" ? (
          <progress
            aria-label={`Tables of ${b.from} that are copied`}
            className="block h-1.5 w-full max-w-md appearance-none overflow-hidden rounded-full bg-line [&::-moz-progress-bar]:bg-accent [&::-webkit-progress-bar]:bg-line [&::-webkit-progress-value]:bg-accent"
            max={Math.max(1, b.tables.length)}
            value={done}
          />
        ) : null}
        <p className="text-soft tabular-nums">
          {number.format(b.copied)} copied, {number.format(b.there)} were there, {done} of {b.tables.length} tables.
          {b.state === "running" && b.code !== "" ? ` It waits: ${reason(b.code)}.` : ""}
        </p>
        {left.map((t) => (
          <p key={t.table} className="break-words">
            <code>{t.table}</code>: {reason(t.code)}
          </p>
        ))}
      </div>
    </Card>
  );
}
