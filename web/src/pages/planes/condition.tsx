import type { Plane } from "../../api/client";
import { bytes, span } from "../../parts/amount";
import { type Stat, Stats } from "../object/stats";

type Process = Plane["conditions"][number];

const lateAfter = 30_000; // ms that the oldest event waits, after which it is worth a look
const soon = 24 * 3600; // seconds until a disk is full

/** How far a plane is behind, how full its disk is and how long it has been connected: the worst of its processes. */
export function Condition({ plane, now }: { plane: Plane; now: Date }) {
  const all = plane.conditions;
  if (all.length === 0)
    return plane.lastBeat ? (
      <p className="text-sm text-soft">
        This version of the plane does not say how far it is behind and how full its disk is.
      </p>
    ) : null;
  return (
    <div className="space-y-2">
      <Stats stats={[lag(all), ...disk(all), link(all, now)]} />
      {all.length > 1 ? (
        <p className="text-sm text-soft">The worst of its {all.length} processes that were heard in the last minute.</p>
      ) : null}
    </div>
  );
}

function lag(all: Process[]): Stat {
  const worst = Math.max(...all.map((c) => c.lagMs));
  const waits = all.some((c) => c.lagFrames > 0);
  return {
    title: "Oldest event not read yet",
    value: waits || worst > 0 ? span(worst) : "none",
    tone: worst > lateAfter ? "warn" : "plain",
  };
}

/** The disk with the least room that may be taken, as a share. */
function disk(all: Process[]): Stat[] {
  const [worst] = all.filter((c) => c.diskSize > 0).sort((a, b) => room(a) - room(b));
  if (!worst) return [];
  const used = worst.diskSize - worst.diskFree;
  const low = worst.diskFree < worst.diskNeeded;
  const lasts = Math.min(...all.map((c) => c.diskLastsS ?? Number.POSITIVE_INFINITY));
  const stats: Stat[] = [
    {
      title: `Disk used of ${bytes(worst.diskSize)}`,
      value: `${bytes(used)} (${Math.round((100 * used) / worst.diskSize)}%)`,
      tone: low ? "bad" : "plain",
    },
  ];
  if (low) return [...stats, { title: "Events are refused", value: "disk is full", tone: "bad" }];
  return [
    ...stats,
    {
      title: "Disk full, as the last hour went on",
      value: Number.isFinite(lasts) ? `in ${span(1000 * lasts)}` : "not in sight",
      tone: lasts < soon ? "warn" : "plain",
    },
  ];
}

function room(c: Process): number {
  return (c.diskFree - c.diskNeeded) / c.diskSize;
}

function link(all: Process[], now: Date): Stat {
  const youngest = Math.max(...all.map((c) => Date.parse(c.linked)));
  return { title: "Connected for", value: span(Math.max(0, now.getTime() - youngest)) };
}
