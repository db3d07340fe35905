import { useEffect, useState } from "react";
import { type Filter, live, type Sighting } from "../../api/events";

const shownAtMost = 500;
const drawnEvery = 250; // ms; a plane may see thousands of events a second
const againAfter = 1000; // ms between a stream's end and the next one

/** A sighting with a number of its own, for lists. */
export type Row = Sighting & { row: number };

export type Stream = { state: "connecting" } | { state: "open" } | { state: "failed"; error: Error };
export type Seen = { rows: Row[]; counts: Record<string, number>; missed: number };

const nothing: Seen = { rows: [], counts: {}, missed: 0 };

/** Follows what passes a workspace while running: the newest 500 sightings, newest first, and counts of all. round begins anew. */
export function useLive(workspace: string, { source, destination, stage, outcome }: Filter, running: boolean) {
  const [stream, setStream] = useState<Stream>({ state: "connecting" });
  const [seen, setSeen] = useState<Seen>(nothing);
  const [round, setRound] = useState(0);
  // biome-ignore lint/correctness/useExhaustiveDependencies: a new round is a new stream
  useEffect(() => {
    if (!running) return;
    const filter = cut({ source, destination, stage, outcome });
    const ended = new AbortController();
    const gather = new Gather();
    const draw = setInterval(() => {
      const news = gather.take();
      if (news) setSeen((s) => add(s, news));
    }, drawnEvery);
    setStream({ state: "connecting" });
    follow(workspace, filter, gather, () => setStream({ state: "open" }), ended.signal).catch((error: unknown) => {
      if (!ended.signal.aborted && error instanceof Error) setStream({ state: "failed", error });
    });
    return () => {
      clearInterval(draw);
      ended.abort();
    };
  }, [workspace, source, destination, stage, outcome, running, round]);
  return { stream, seen, clear: () => setSeen(nothing), again: () => setRound((r) => r + 1) };
}

/** Opens one stream after the other, as each ends with its capability. */
async function follow(workspace: string, filter: Filter, gather: Gather, opened: () => void, signal: AbortSignal) {
  while (!signal.aborted) {
    for await (const line of live(workspace, filter, signal)) {
      if (signal.aborted) return;
      if (line.kind === "open") opened();
      else if (line.kind === "missed") gather.missed += line.count;
      else gather.add(line.sighting);
    }
    await new Promise((done) => setTimeout(done, againAfter));
  }
}

let rows = 0;

/** What came since the list was drawn last; never more than is shown. */
class Gather {
  missed = 0;
  private rows: Row[] = [];
  private counts: Record<string, number> = {};

  add(s: Sighting): void {
    rows += 1;
    this.rows.push({ ...s, row: rows });
    if (this.rows.length > 2 * shownAtMost) this.rows.splice(0, shownAtMost);
    this.counts[s.outcome] = (this.counts[s.outcome] ?? 0) + 1;
  }

  take(): Seen | undefined {
    if (this.rows.length === 0 && this.missed === 0) return undefined;
    const news = { rows: this.rows.reverse(), counts: this.counts, missed: this.missed };
    this.rows = [];
    this.counts = {};
    this.missed = 0;
    return news;
  }
}

function add(before: Seen, news: Seen): Seen {
  const counts = { ...before.counts };
  for (const [outcome, n] of Object.entries(news.counts)) counts[outcome] = (counts[outcome] ?? 0) + n;
  return { rows: [...news.rows, ...before.rows].slice(0, shownAtMost), counts, missed: before.missed + news.missed };
}

function cut(filter: Record<keyof Filter, string | undefined>): Filter {
  return Object.fromEntries(Object.entries(filter).filter(([, v]) => v));
}
