import type { Outcome } from "../../api/preview";
import { Badge } from "../../parts/badge";
import { Code, pretty } from "../../parts/code";
import { reason } from "../live/reasons";

/** What became of each sample event, with what the code logged. */
export function Outcomes({ outcomes }: { outcomes: Outcome[] }) {
  return (
    <section aria-label="Result" className="space-y-4">
      {outcomes.map((o, i) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: outcomes are in the sample's order and never move
        <div key={i} className="space-y-2">
          <p className="flex flex-wrap items-center gap-2 text-sm">
            <Said outcome={o} />
            <span className="font-mono text-xs break-all text-soft">{o.messageId}</span>
          </p>
          {o.error ? (
            <p className="text-sm break-words">
              <span className="font-medium">{o.error.message || reason(o.error.code)}</span>{" "}
              <span className="text-soft">({o.error.code})</span>
            </p>
          ) : null}
          {o.events.length > 0 ? (
            <Code text={o.events.map(pretty).join("\n")} name={`Output of ${o.messageId}`} />
          ) : null}
          {o.logs.length > 0 ? <Code text={o.logs.join("\n")} name={`Log of ${o.messageId}`} /> : null}
        </div>
      ))}
    </section>
  );
}

function Said({ outcome: { events, error } }: { outcome: Outcome }) {
  if (error) return <Badge tone="bad">Failed</Badge>;
  if (events.length === 0) return <Badge tone="quiet">Dropped by the code</Badge>;
  return <Badge tone="good">{events.length === 1 ? "One event" : `${events.length} events`}</Badge>;
}
