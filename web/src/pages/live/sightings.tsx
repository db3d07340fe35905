import { useId, useState } from "react";
import { Badge, type Tone } from "../../parts/badge";
import { Code, pretty } from "../../parts/code";
import { Card } from "../../parts/section";
import { reason } from "./reasons";
import type { Row } from "./use-live";

const good = ["accepted", "routed", "transformed", "delivered", "staged", "loaded"];
const bad = ["dead", "quarantined"];

/** How an outcome looks. */
export function toneOf(outcome: string): Tone {
  if (good.includes(outcome)) return "good";
  if (bad.includes(outcome)) return "bad";
  return outcome === "parked" || outcome === "retrying" ? "warn" : "quiet";
}

/** Sightings, newest first; each opens to its event. */
export function Sightings({ rows }: { rows: Row[] }) {
  return (
    <Card>
      <ul aria-label="Events that passed" className="divide-y divide-line">
        {rows.map((r) => (
          <Sighting key={r.row} row={r} />
        ))}
      </ul>
    </Card>
  );
}

function Sighting({ row }: { row: Row }) {
  const [open, setOpen] = useState(false);
  const id = useId();
  return (
    <li>
      <button
        type="button"
        aria-expanded={open}
        aria-controls={open ? id : undefined}
        onClick={() => setOpen(!open)}
        className="flex w-full flex-wrap items-center gap-x-3 gap-y-1 px-4 py-2 text-left text-sm hover:bg-sunken"
      >
        <time dateTime={row.at} className="font-mono text-xs text-soft tabular-nums">
          {row.at.slice(11, 23)}
        </time>
        <Badge tone={toneOf(row.outcome)}>{row.outcome}</Badge>
        <span>
          {row.source}
          {row.destination === "" ? "" : ` → ${row.destination}`}
        </span>
        <span className="text-soft">{row.stage}</span>
        {row.code === "" ? null : <span className="text-soft">{reason(row.code)}</span>}
        <span className="ml-auto max-w-64 truncate font-mono text-xs text-soft">
          {nameOf(row.event) ?? row.messageId}
        </span>
      </button>
      {open ? (
        <div id={id} className="space-y-2 px-4 pb-3 text-sm">
          <p className="font-mono text-xs break-all text-soft">
            {row.messageId}
            {row.code === "" ? "" : ` · ${row.code}`}
          </p>
          {row.event === null ? (
            <p className="text-soft">The event itself is not known at this stage.</p>
          ) : (
            <Code text={pretty(row.event)} name={`Event ${row.messageId}`} />
          )}
        </div>
      ) : null}
    </li>
  );
}

/** What an event calls itself: its name, or its type. */
function nameOf(event: unknown): string | undefined {
  if (typeof event !== "object" || event === null) return undefined;
  if ("event" in event && typeof event.event === "string") return event.event;
  return "type" in event && typeof event.type === "string" ? event.type : undefined;
}
