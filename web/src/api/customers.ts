import { ask } from "./plane";

/** A stream of a pulled source. */
export type Pull = {
  source: string;
  stream: string;
  type: string;
  state: "pending" | "running" | "waiting" | "limited" | "paused" | "failing" | "disabled";
  code: string;
  rows: number;
  done: number | null;
  ended: string | null;
  next: string | null;
};

/** Profiles, with their last run. */
export type Profiles = {
  name: string;
  running: boolean;
  waits: boolean;
  next?: string;
  last?: {
    state: "published" | "held" | "failed";
    code?: string;
    startedAt: string;
    built?: Record<string, { persons: number; changed: number; moves: number }>;
  };
};

/** A sync, with its last run. */
export type Sync = {
  name: string;
  model: string;
  destination: string;
  object: string;
  state: "disabled" | "paused" | "pending" | "running" | "healthy" | "warning" | "held" | "failed";
  next: string | null;
  run: {
    code: string;
    began: string;
    ended: string | null;
    planned: number;
    accepted: number;
    rejected: number;
    invalid: number;
    waiting: number;
  } | null;
};

export async function pulls(workspace: string, signal: AbortSignal): Promise<Pull[]> {
  const answer = await ask({ workspace, action: "pulls:read" }, { path: "/v1/pulls", signal });
  return ((await answer.json()) as { pulls: Pull[] }).pulls;
}

export async function profiles(workspace: string, signal: AbortSignal): Promise<Profiles[]> {
  const answer = await ask({ workspace, action: "profiles:read" }, { path: "/v1/profiles", signal });
  return ((await answer.json()) as { profiles: Profiles[] | null }).profiles ?? [];
}

export async function syncs(workspace: string, signal: AbortSignal): Promise<Sync[]> {
  const answer = await ask({ workspace, action: "syncs:read" }, { path: "/v1/syncs", signal });
  return ((await answer.json()) as { syncs: Sync[] }).syncs;
}

/** Pulls a stream now. */
export async function pullNow(workspace: string, { source, stream }: Pull): Promise<void> {
  await ask({ workspace, action: "pulls:change" }, { path: "/v1/pulls", body: { verb: "run", source, stream } });
}

/** Runs profiles now. */
export async function runProfiles(workspace: string, profile: string): Promise<void> {
  await ask({ workspace, action: "profiles:run" }, { path: "/v1/profiles/run", body: { profile } });
}

/** Runs a sync now. */
export async function runSync(workspace: string, sync: string): Promise<void> {
  await ask({ workspace, action: "syncs:run" }, { path: `/v1/syncs/${encodeURIComponent(sync)}/run`, body: {} });
}
