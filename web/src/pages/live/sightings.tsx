import { memo, useCallback, useId, useRef, useState } from "react";
import { Badge, type Tone } from "../../parts/badge";
import { Button } from "../../parts/button";
import { Code, pretty } from "../../parts/code";
import { Card } from "../../parts/section";
import { inOrder, type Journey, type Stand, type Step, since, standsOf } from "./journeys";
import { reason } from "./reasons";

const good = ["accepted", "routed", "transformed", "delivered", "staged", "loaded"];
const bad = ["dead", "quarantined"];

/** How an outcome looks. */
export function toneOf(outcome: string): Tone {
  if (good.includes(outcome)) return "good";
  if (bad.includes(outcome)) return "bad";
  return outcome === "parked" || outcome === "retrying" ? "warn" : "quiet";
}

/**
 * Events, newest first, each with how it stands at its destinations; each opens to its way. While one is open the list
 * stays as it is, so that nothing moves under who reads: what comes is counted above it.
 */
export function Sightings({ journeys }: { journeys: Journey[] }) {
  const [open, setOpen] = useState<readonly string[]>([]);
  const kept = useRef<Set<string> | null>(null); // the events that are listed while one is open
  const toggle = useCallback(
    (key: string) => setOpen((before) => (before.includes(key) ? before.filter((k) => k !== key) : [...before, key])),
    [],
  );
  const still = open.some((key) => journeys.some((j) => j.key === key));
  if (!still) kept.current = null;
  else kept.current ??= new Set(journeys.map((j) => j.key));
  const held = kept.current;
  const shown = held ? journeys.filter((j) => held.has(j.key)) : journeys;
  const newer = journeys.length - shown.length;
  return (
    <div className="space-y-2">
      {newer > 0 ? (
        <div className="flex flex-wrap items-center gap-3 text-sm text-soft">
          <span role="status">
            {newer} newer {newer === 1 ? "event" : "events"}
          </span>
          <Button onClick={() => setOpen([])}>Show the newest</Button>
        </div>
      ) : null}
      <Card>
        <ul aria-label="Events that passed" className="divide-y divide-line">
          {shown.map((j, place) => (
            // biome-ignore lint/suspicious/noArrayIndexKey: rows keep their places and change what they say, so that none moves
            <Event key={place} journey={j} open={open.includes(j.key)} onToggle={toggle} />
          ))}
        </ul>
      </Card>
    </div>
  );
}

type EventProps = { journey: Journey; open: boolean; onToggle: (key: string) => void };

const Event = memo(function Event({ journey: j, open, onToggle }: EventProps) {
  const id = useId();
  return (
    <li className="[contain-intrinsic-size:auto_2.5rem] [content-visibility:auto]">
      <button
        type="button"
        aria-expanded={open}
        aria-controls={open ? id : undefined}
        onClick={() => onToggle(j.key)}
        className="flex min-h-10 w-full flex-wrap items-center gap-x-3 gap-y-1 px-4 py-2 text-left text-sm hover:bg-sunken lg:flex-nowrap"
      >
        <time dateTime={j.at} className="font-mono text-xs text-soft tabular-nums">
          {j.at.slice(11, 23)}
        </time>
        <span className="max-w-64 truncate font-medium lg:w-48 lg:shrink-0">{j.name || j.messageId}</span>
        <span className="truncate text-soft lg:w-56 lg:shrink-0">
          {j.source}
          {j.user ? <span className="max-sm:sr-only"> · {j.user}</span> : null}
        </span>
        <span className="flex min-w-0 flex-wrap items-center gap-x-3 gap-y-1 lg:grid lg:flex-1 lg:grid-cols-3">
          <Standings journey={j} />
        </span>
      </button>
      {open ? <Way id={id} journey={j} /> : null}
    </li>
  );
});

const eachUpTo = 3; // destinations that a row names; of more it names those with a problem

function Standings({ journey: j }: { journey: Journey }) {
  const all = standsOf(j);
  const each = all.length > eachUpTo ? all.filter((s) => ["bad", "warn"].includes(toneOf(s.outcome))) : all;
  const others = all.filter((s) => !each.includes(s)).map((s) => s.outcome);
  return (
    <>
      {each.map((s, place) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: as rows do
        <Standing key={place} stand={s} took={since(j, s.at)} alone={all.length === 1} />
      ))}
      {others.length > 0 ? (
        <span className="inline-flex flex-wrap items-center gap-1.5">
          {[...new Set(others)].map((outcome) => (
            <Badge key={outcome} tone={toneOf(outcome)}>
              {others.filter((o) => o === outcome).length} {outcome}
            </Badge>
          ))}
        </span>
      ) : null}
    </>
  );
}

function Standing({ stand: s, took, alone }: { stand: Stand; took: number; alone: boolean }) {
  const why = s.code === "" ? "" : reason(s.code);
  return (
    <span
      className={`inline-flex min-w-0 flex-wrap items-center gap-1.5 lg:flex-nowrap ${alone ? "lg:col-span-3" : ""}`}
      title={why || undefined}
    >
      {s.destination === "" ? null : <span className="min-w-0 text-soft lg:truncate">{s.destination}</span>}
      <Badge tone={toneOf(s.outcome)}>{s.outcome}</Badge>
      {why === "" ? (
        took > 0 && s.destination !== "" ? (
          <span className="font-mono text-xs whitespace-nowrap text-soft tabular-nums">{duration(took)}</span>
        ) : null
      ) : (
        <span className="min-w-0 text-soft lg:truncate">{why}</span>
      )}
    </span>
  );
}

/** Every step of an event with its time after the first, and the event as it was. */
function Way({ id, journey: j }: { id: string; journey: Journey }) {
  const steps = inOrder(j.steps);
  const known = steps.filter((s) => s.event !== null);
  const first = known[0];
  const forms = known.filter((s) => s === first || s.outcome === "transformed");
  return (
    <div id={id} className="space-y-3 border-t border-line bg-page px-4 py-3 text-sm">
      <p className="font-mono text-xs break-all text-soft">
        {j.messageId}
        {j.user ? ` · ${j.user}` : ""}
      </p>
      <ol aria-label={`The way of ${j.messageId}`} className="space-y-1.5 border-l-2 border-line pl-4">
        {steps.map((s) => (
          <li key={s.row} className="flex flex-wrap items-center gap-x-3 gap-y-1">
            <span className="w-16 font-mono text-xs text-soft tabular-nums" title={s.at}>
              +{duration(since(j, s.at))}
            </span>
            <Badge tone={toneOf(s.outcome)}>{s.outcome}</Badge>
            <span>{where(s)}</span>
            {s.code === "" ? null : (
              <span className="text-soft">
                {reason(s.code)} <code className="text-xs">{s.code}</code>
              </span>
            )}
            {s.messageId === j.messageId ? null : (
              <span className="font-mono text-xs break-all text-soft">{s.messageId}</span>
            )}
          </li>
        ))}
      </ol>
      {j.more > 0 ? <p className="text-soft">And {j.more} further steps, which are not shown.</p> : null}
      {forms.length === 0 ? <p className="text-soft">The event itself is not known at this stage.</p> : null}
      {forms.map((s) => (
        <div key={s.row} className="space-y-1">
          {forms.length > 1 ? (
            <p className="text-xs font-medium text-soft">
              {s === first ? "As it came" : `For ${s.destination}, after its transformations`}
            </p>
          ) : null}
          <Code
            text={pretty(s.event)}
            name={s === first ? `Event ${j.messageId}` : `Event ${s.messageId} for ${s.destination}`}
          />
        </div>
      ))}
    </div>
  );
}

const stages: Record<string, string> = {
  gateway: "at the gateway",
  pipeline: "after deduplication, checks and filters",
  transform: "by transformations",
  deliver: "at",
  load: "in",
};

/** Where a step was, in words. */
function where(s: Step): string {
  const at = stages[s.stage] ?? s.stage;
  if (s.destination === "") return at;
  return s.stage === "deliver" || s.stage === "load" ? `${at} ${s.destination}` : `${at}, for ${s.destination}`;
}

function duration(ms: number): string {
  return ms < 1000 ? `${ms} ms` : ms < 60_000 ? `${(ms / 1000).toFixed(1)} s` : `${Math.round(ms / 60_000)} min`;
}
