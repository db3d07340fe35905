import { isRecord } from "./events";
import { ask } from "./plane";
import { query } from "./warehouse";

/** How a run ended, or how far it is; times are RFC 3339, ended is null while it runs. */
export type SyncRun = {
  id: string;
  state: string;
  code: string;
  began: string;
  ended: string | null;
  planned: number;
  accepted: number;
  rejected: number;
  invalid: number;
  removed: number;
  waiting: number;
};

/** A sync, with its last run; detail is what the warehouse says against the model. */
export type Sync = {
  id: string;
  name: string;
  model: string;
  destination: string;
  object: string;
  mode: string;
  state: "disabled" | "paused" | "pending" | "running" | "healthy" | "warning" | "held" | "failed";
  paused: boolean;
  next: string | null;
  detail: string;
  run: SyncRun | null;
};

/** A row that a destination did not take. */
export type Reject = {
  key: string;
  identifiers: string | Record<string, string>;
  op: string;
  code: string;
  tries: number;
  due: string;
  waived: boolean;
  at: string;
};

export async function syncs(workspace: string, signal: AbortSignal): Promise<Sync[]> {
  const answer = await ask({ workspace, action: "syncs:read" }, { path: "/v1/syncs", signal });
  return ((await answer.json()) as { syncs: Sync[] }).syncs;
}

export type SyncAct = "run" | "pause" | "resume" | "approve" | "retry" | "waive";

/** Does something to a sync; mapping is of approve, code of retry and waive. */
export async function actOn(
  workspace: string,
  sync: string,
  act: SyncAct,
  body: { mapping?: "resend" | "assume"; code?: string } = {},
): Promise<Sync & { rows?: number }> {
  const path = `/v1/syncs/${encodeURIComponent(sync)}/${act}`;
  return (await (await ask({ workspace, action: "syncs:run" }, { path, body })).json()) as Sync & { rows?: number };
}

/** Some rows as they would be sent. */
export async function previewSync(workspace: string, sync: string, signal: AbortSignal): Promise<unknown[]> {
  const path = `/v1/syncs/${encodeURIComponent(sync)}/preview`;
  const query = new URLSearchParams({ limit: "10" });
  const answer = await ask({ workspace, action: "query" }, { path, query, signal });
  return ((await answer.json()) as { events: unknown[] }).events;
}

/** Rows that were not taken, at most so many. */
export async function rejects(workspace: string, sync: string, most: number, signal: AbortSignal): Promise<Reject[]> {
  const path = `/v1/syncs/${encodeURIComponent(sync)}/rejects`;
  const query = new URLSearchParams({ limit: String(most) });
  const answer = await ask({ workspace, action: "query" }, { path, query, signal });
  return ((await answer.json()) as { rejects: Reject[] }).rejects;
}

const identifier = /^[A-Za-z0-9_]{1,64}$/;

/** The runs of a sync that its warehouse keeps, the newest first; none before the first run made the table. */
export async function pastRuns(
  workspace: string,
  warehouse: string,
  sync: string,
): Promise<Omit<SyncRun, "waiting">[]> {
  if (!identifier.test(sync)) return [];
  const sql = `select run as id, state, code, began, ended, planned, accepted, rejected, invalid, removed from weir_sync.runs where sync = '${sync}' order by began desc limit 50`;
  const { rows } = await query(workspace, warehouse, sql, 51);
  return rows.filter(isRecord).map((r) => ({
    id: String(r.id),
    state: String(r.state),
    code: String(r.code ?? ""),
    began: String(r.began),
    ended: r.ended === null ? null : String(r.ended),
    planned: Number(r.planned),
    accepted: Number(r.accepted),
    rejected: Number(r.rejected),
    invalid: Number(r.invalid),
    removed: Number(r.removed),
  }));
}
