import { count, type Numbers, perSecond } from "../flow";

export const row = 56; // px
export const width = 1000; // of the drawing's own measure
const widest = 40; // px, of all bands at one node together
const thinnest = 1.5; // px

/** What goes from one node to another, by their places on their sides, and over how many connections. */
export type Pair = { from: number; to: number; n: Numbers; connections: number };

/** A pair as it is drawn: the heights of its ends, and its width in px. */
export type Band = Pair & {
  y1: number;
  y2: number;
  size: number;
  tone: "good" | "warn" | "bad" | "quiet";
  text: string;
};

/**
 * The bands of pairs, which lie beside each other where they begin and where they end. live: they are as wide as
 * events pass a second; else, while nothing passes, as wide as what passed so far.
 */
export function bandsOf(
  pairs: readonly Pair[],
  sources: number,
  destinations: number,
  height: number,
): { bands: Band[]; live: boolean } {
  const live = pairs.some((p) => p.n.rate > 0);
  const amount = (p: Pair) => (live ? p.n.rate : p.n.routed);
  const begins = ends(
    pairs,
    sources,
    (p) => p.from,
    (p) => p.to,
  );
  const arrives = ends(
    pairs,
    destinations,
    (p) => p.to,
    (p) => p.from,
  );
  const most = Math.max(1e-9, ...[...begins, ...arrives].map((list) => list.reduce((n, p) => n + amount(p), 0)));
  const size = (p: Pair) => Math.max(thinnest, (widest * amount(p)) / most);
  const y1 = heights(begins, size, height);
  const y2 = heights(arrives, size, height);
  const bands = pairs.map((p): Band => {
    const lost = p.n.dead + p.n.quarantined;
    return {
      ...p,
      y1: y1.get(p) ?? 0,
      y2: y2.get(p) ?? 0,
      size: size(p),
      tone: lost > p.n.delivered ? "bad" : p.n.parked > 0 ? "warn" : p.n.delivered > 0 ? "good" : "quiet",
      text: `${count(p.n.delivered)} delivered, ${perSecond(p.n.rate)}`,
    };
  });
  return { bands, live };
}

/** The pairs of each node of a side, in the order of the nodes at their other ends. */
function ends(pairs: readonly Pair[], nodes: number, mine: (p: Pair) => number, other: (p: Pair) => number): Pair[][] {
  const all = Array.from({ length: nodes }, (): Pair[] => []);
  for (const p of pairs) all[mine(p)]?.push(p);
  for (const list of all) list.sort((a, b) => other(a) - other(b));
  return all;
}

/** The middle of each pair's band at its node, among the others there. */
function heights(nodes: readonly Pair[][], size: (p: Pair) => number, height: number): Map<Pair, number> {
  const all = new Map<Pair, number>();
  nodes.forEach((list, i) => {
    let at = (height / nodes.length) * (i + 0.5) - list.reduce((n, p) => n + size(p), 0) / 2;
    for (const p of list) {
      all.set(p, at + size(p) / 2);
      at += size(p);
    }
  });
  return all;
}
