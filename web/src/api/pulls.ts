import { ask } from "./plane";

/** A stream of a pulled source: from, at and to are the window that is read, done how much of it, 0 to 1. */
export type Pull = {
  source: string;
  stream: string;
  type: string;
  state: "pending" | "running" | "waiting" | "limited" | "paused" | "failing" | "disabled";
  code: string;
  detail?: string;
  rows: number;
  deleted?: number;
  deletes?: string;
  from?: string;
  at?: string;
  to?: string;
  done: number | null;
  began?: string | null;
  ended: string | null;
  next: string | null;
  fields?: string[] | null;
  /** How far a stream of changes is behind its source: bytes, for how many seconds, bytes that the source keeps for it. */
  behind?: { bytes: number; seconds: number; kept: number; limit: number; state: string; code: string } | null;
};

export async function pulls(workspace: string, signal: AbortSignal): Promise<Pull[]> {
  const answer = await ask({ workspace, action: "pulls:read" }, { path: "/v1/pulls", signal });
  return ((await answer.json()) as { pulls: Pull[] }).pulls;
}

export type PullVerb = "run" | "pause" | "resume" | "reset" | "backfill";

/** Does something to a stream of a source; from is of backfill, the time from which rows are read again. */
export async function changePull(
  workspace: string,
  verb: PullVerb,
  { source, stream }: { source: string; stream: string },
  from?: string,
): Promise<void> {
  const body = { verb, source, stream, ...(from ? { from } : {}) };
  await ask({ workspace, action: "pulls:change" }, { path: "/v1/pulls", body });
}
