import type { Numbers } from "../flow";

/** Events that leave the way, in a word such as dropped; size is an arm's width in px. */
export type Loss = { word: string; n: number; tone: "bad" | "warn" | "quiet"; size: number };

type Kind = Omit<Loss, "n" | "size">;

/** What leaves at a source before it is routed. */
export function lossesAt(n: Numbers): Loss[] {
  return losses(n.accepted, [
    [n.duplicate, { word: "duplicate", tone: "quiet" }],
    [n.quarantined, { word: "quarantined", tone: "bad" }],
    [n.dropped, { word: "dropped", tone: "quiet" }],
    [n.unrouted, { word: "unrouted", tone: "quiet" }],
  ]);
}

/** What leaves at a destination, or waits for it. */
export function lossesOn(n: Numbers): Loss[] {
  return losses(n.routed + n.added, [
    [n.parked, { word: "waiting", tone: "warn" }],
    [n.quarantined, { word: "quarantined", tone: "bad" }],
    [n.dropped, { word: "dropped", tone: "quiet" }],
    [n.dead, { word: "failed", tone: "bad" }],
  ]);
}

function losses(of: number, kinds: [number, Kind][]): Loss[] {
  return kinds
    .filter(([n]) => n > 0)
    .map(([n, kind]) => ({ ...kind, n, size: 2 + 6 * Math.min(1, n / Math.max(1, of)) }));
}
