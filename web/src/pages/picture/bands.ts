import { count, type Flow, numbersOn, perSecond } from "../flow";

export const row = 56; // px
export const width = 1000; // of the drawing's own measure
const widest = 40; // px, of all bands at one object together
const thinnest = 1.5; // px

/** A connection as it is drawn: the heights of its ends, and its width in px. */
export type Band = {
  source: string;
  destination: string;
  from: number;
  to: number;
  size: number;
  tone: "good" | "warn" | "bad" | "quiet";
  text: string;
};

type Ends = { source: string; destination: string };
type Named = { name: string };

/**
 * The bands of connections, which lie beside each other where they begin and where they end. live: they are as wide as
 * events pass a second; else, while nothing passes, as wide as what passed so far.
 */
export function bandsOf(
  connections: readonly Ends[],
  sources: readonly Named[],
  destinations: readonly Named[],
  flow: Flow | undefined,
  height: number,
): { bands: Band[]; live: boolean } {
  const all = connections.map((c) => ({ ...c, n: numbersOn(flow, c.source, c.destination) }));
  const live = all.some((c) => c.n.rate > 0);
  const amount = (c: (typeof all)[number]) => (live ? c.n.rate : c.n.routed);
  const together = (of: (c: Ends) => string, name: string) =>
    all.filter((c) => of(c) === name).reduce((n, c) => n + amount(c), 0);
  const most = Math.max(
    1e-9,
    ...sources.map((s) => together((c) => c.source, s.name)),
    ...destinations.map((d) => together((c) => c.destination, d.name)),
  );
  const size = (c: (typeof all)[number]) => Math.max(thinnest, (widest * amount(c)) / most);
  const place = (list: readonly Named[], name: string) => list.findIndex((o) => o.name === name);
  /** The middle of a band at one of its ends, among the others there. */
  const end = (
    c: (typeof all)[number],
    mine: (o: Ends) => string,
    other: (o: Ends) => string,
    own: readonly Named[],
    far: readonly Named[],
  ) => {
    const here = all.filter((o) => mine(o) === mine(c)).sort((a, b) => place(far, other(a)) - place(far, other(b)));
    const before = here.slice(0, here.indexOf(c)).reduce((n, o) => n + size(o), 0);
    const whole = here.reduce((n, o) => n + size(o), 0);
    return (height / own.length) * (place(own, mine(c)) + 0.5) - whole / 2 + before + size(c) / 2;
  };
  const bySource = (o: Ends) => o.source;
  const byDestination = (o: Ends) => o.destination;
  const bands = all.map((c): Band => {
    const lost = c.n.dead + c.n.quarantined;
    return {
      source: c.source,
      destination: c.destination,
      from: end(c, bySource, byDestination, sources, destinations),
      to: end(c, byDestination, bySource, destinations, sources),
      size: size(c),
      tone: lost > c.n.delivered ? "bad" : c.n.parked > 0 ? "warn" : c.n.delivered > 0 ? "good" : "quiet",
      text: `${count(c.n.delivered)} delivered, ${perSecond(c.n.rate)}`,
    };
  });
  return { bands, live };
}
