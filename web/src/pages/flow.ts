import { useQuery } from "@tanstack/react-query";
import { type LedgerRow, ledger } from "../api/ledger";
import { keys } from "../queries";

const refreshEvery = 2000; // ms

/** The rows of a workspace's ledger with the time when the plane gave them, in ms. */
export type Flow = { at: number; rows: LedgerRow[]; before: { at: number; rows: LedgerRow[] } | undefined };

const former = new Map<string, Flow>();

/** What became of a workspace's events, from its plane every two seconds. */
export function useFlow(workspace: string, enabled = true) {
  return useQuery({ ...flowOf(workspace), refetchInterval: refreshEvery, enabled });
}

/** How what became of a workspace's events is asked for. */
export function flowOf(workspace: string) {
  return {
    queryKey: keys.ledger(workspace),
    queryFn: async ({ signal }: { signal: AbortSignal }): Promise<Flow> => {
      const rows = await ledger(workspace, signal);
      const at = Date.now();
      const was = former.get(workspace);
      const flow: Flow = { at, rows, before: was && { at: was.at, rows: was.rows } };
      former.set(workspace, flow);
      return flow;
    },
    staleTime: refreshEvery,
  };
}

export type Numbers = Omit<LedgerRow, "source" | "destination" | "dropped" | "balanced"> & {
  dropped: number;
  rate: number;
};

const every = () => true;

const fields = [
  "accepted",
  "replayed",
  "waiting",
  "duplicate",
  "quarantined",
  "routed",
  "unrouted",
  "added",
  "delivered",
  "staged",
  "parked",
  "dead",
  "inFlight",
] as const;

/** The sums of some rows; rate is events a second since the look before, by what those rows count first. */
export function sum(flow: Flow | undefined, mine: (r: LedgerRow) => boolean, by: "accepted" | "routed"): Numbers {
  const out: Numbers = { dropped: 0, rate: 0, ...zero() };
  for (const r of flow?.rows ?? []) {
    if (!mine(r)) continue;
    for (const f of fields) out[f] += r[f] ?? 0;
    out.dropped += Object.values(r.dropped).reduce((a, b) => a + b, 0);
  }
  if (flow?.before) {
    const was = flow.before.rows.filter(mine).reduce((n, r) => n + (r[by] ?? 0), 0);
    const seconds = (flow.at - flow.before.at) / 1000;
    if (seconds > 0) out.rate = Math.max(0, out[by] - was) / seconds;
  }
  return out;
}

/** The sums of rows by a key, each as sum has it; rows without one are left out. Every row is looked at once. */
export function sumsBy<K>(
  flow: Flow | undefined,
  keyOf: (r: LedgerRow) => K | undefined,
  by: "accepted" | "routed",
): Map<K, Numbers> {
  const all = new Map<K, LedgerRow[]>();
  const before = new Map<K, LedgerRow[]>();
  const gather = (rows: readonly LedgerRow[], into: Map<K, LedgerRow[]>) => {
    for (const r of rows) {
      const key = keyOf(r);
      if (key === undefined) continue;
      const list = into.get(key);
      if (list) list.push(r);
      else into.set(key, [r]);
    }
  };
  gather(flow?.rows ?? [], all);
  gather(flow?.before?.rows ?? [], before);
  const out = new Map<K, Numbers>();
  for (const [key, rows] of all) {
    const was = flow?.before && { at: flow.before.at, rows: before.get(key) ?? [] };
    out.set(key, sum({ at: flow?.at ?? 0, rows, before: was }, every, by));
  }
  return out;
}

/** The numbers of nothing. */
export const nothing: Numbers = sum(undefined, () => true, "accepted");

const indexes = new WeakMap<LedgerRow[], Map<string, LedgerRow>>();
const keyOf = (r: { source: string; destination: string }) => `${r.source} ${r.destination}`; // names have no spaces

function rowsOf(rows: LedgerRow[], key: string): LedgerRow[] {
  let index = indexes.get(rows);
  if (!index) {
    index = new Map(rows.map((r) => [keyOf(r), r]));
    indexes.set(rows, index);
  }
  const row = index.get(key);
  return row ? [row] : [];
}

/** What a flow says of one connection alone; found at once, however many there are. */
export function flowOn(flow: Flow | undefined, source: string, destination: string): Flow | undefined {
  if (!flow) return undefined;
  const key = keyOf({ source, destination });
  return {
    at: flow.at,
    rows: rowsOf(flow.rows, key),
    before: flow.before && { at: flow.before.at, rows: rowsOf(flow.before.rows, key) },
  };
}

/** The numbers of one connection. */
export function numbersOn(flow: Flow | undefined, source: string, destination: string): Numbers {
  return sum(flowOn(flow, source, destination), every, "routed");
}

/** How long the oldest delivery of some rows waits, in seconds by the time of the look; undefined where none does, or it is not known. */
export function waitOf(flow: Flow | undefined, mine: (r: LedgerRow) => boolean): number | undefined {
  const since = (flow?.rows ?? []).flatMap((r) => (mine(r) && r.waitingSince ? [Date.parse(r.waitingSince)] : []));
  if (!flow || since.length === 0) return undefined;
  return Math.max(0, (flow.at - Math.min(...since)) / 1000);
}

/** The share of what was sent on its way that will not arrive as it is, in percent for people; "" while nothing was sent. */
export function errorShare(n: Pick<Numbers, "routed" | "added" | "dead" | "quarantined">): string {
  const [sent, lost] = [n.routed + n.added, n.dead + n.quarantined];
  if (sent === 0) return "";
  const share = (100 * lost) / sent;
  return lost === 0 ? "0 %" : share < 0.1 ? "<0.1 %" : `${share.toFixed(1)} %`;
}

function zero() {
  return Object.fromEntries(fields.map((f) => [f, 0])) as Record<(typeof fields)[number], number>;
}

/** Of a source: its own row. */
export const ofSource = (source: string) => (r: LedgerRow) => r.source === source && r.destination === "";
/** Of a destination: its rows with every source. */
export const ofDestination = (destination: string) => (r: LedgerRow) => r.destination === destination;
export const ofConnection = (source: string, destination: string) => (r: LedgerRow) =>
  r.source === source && r.destination === destination;

const number = new Intl.NumberFormat("en");

/** A count for people. */
export function count(n: number): string {
  return number.format(n);
}

/** The rate of some numbers for people; "…" until the plane was looked at twice. */
export function rateOf(flow: Flow | undefined, n: Pick<Numbers, "rate">): string {
  return flow?.before ? perSecond(n.rate) : "…";
}

/** Events a second for people. */
export function perSecond(rate: number): string {
  if (rate === 0) return "0/s";
  return rate < 10 ? `${rate.toFixed(1)}/s` : `${number.format(Math.round(rate))}/s`;
}
