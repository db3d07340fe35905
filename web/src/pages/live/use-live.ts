import { useEffect, useState } from "react";
import { type Filter, live, type Sighting } from "../../api/events";
import { addSteps, type Journey, type Step } from "./journeys";

const shownAtMost = 500;
const drawnEvery = 250; // ms; a plane may see thousands of events a second
const againAfter = 1000; // ms between a stream's end and the next one

export type Stream = { state: "connecting" } | { state: "open" } | { state: "failed"; error: Error };
export type Seen = { journeys: Journey[]; counts: Record<string, number>; missed: number };

const nothing: Seen = { journeys: [], counts: {}, missed: 0 };

/** Follows what passes a workspace while running: the newest 500 events, newest first, with what was seen of each, and counts of all steps. round begins anew. */
export function useLive(workspace: string, { source, destination, stage, outcome, search }: Filter, running: boolean) {
  const [stream, setStream] = useState<Stream>({ state: "connecting" });
  const [seen, setSeen] = useState<Seen>(nothing);
  const [round, setRound] = useState(0);
  // biome-ignore lint/correctness/useExhaustiveDependencies: a new round is a new stream
  useEffect(() => {
    if (!running) return;
    const filter = cut({ source, destination, stage, outcome, search });
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
  }, [workspace, source, destination, stage, outcome, search, running, round]);
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
const keptAtMost = 10 * shownAtMost; // steps between two drawings

type News = { steps: Step[]; counts: Record<string, number>; missed: number };

/** What came since the list was drawn last; no more than can be shown of it. */
class Gather {
  missed = 0;
  private steps: Step[] = [];
  private counts: Record<string, number> = {};

  add(s: Sighting): void {
    rows += 1;
    this.steps.push({ ...s, row: rows });
    if (this.steps.length > keptAtMost) this.steps.splice(0, shownAtMost);
    this.counts[s.outcome] = (this.counts[s.outcome] ?? 0) + 1;
  }

  take(): News | undefined {
    if (this.steps.length === 0 && this.missed === 0) return undefined;
    const news = { steps: this.steps, counts: this.counts, missed: this.missed };
    this.steps = [];
    this.counts = {};
    this.missed = 0;
    return news;
  }
}

function add(before: Seen, news: News): Seen {
  const counts = { ...before.counts };
  for (const [outcome, n] of Object.entries(news.counts)) counts[outcome] = (counts[outcome] ?? 0) + n;
  return {
    journeys: addSteps(before.journeys, news.steps, shownAtMost),
    counts,
    missed: before.missed + news.missed,
  };
}

function cut(filter: Record<keyof Filter, string | undefined>): Filter {
  return Object.fromEntries(Object.entries(filter).filter(([, v]) => v));
}
