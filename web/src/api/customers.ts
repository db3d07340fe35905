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

/** How a score stood after a run; drift is a population stability index since from, absent before there were enough persons. */
export type Standing = {
  name: string;
  persons: number;
  /** Absent where nobody has it. */
  mean?: number;
  drift?: number;
  from?: string;
  code?: string;
  /** Of a score that the plane learns: the model that it has, and the one that was learned last. */
  live?: Learned;
  last?: Learned;
};

/** A model that was learned, with how good it is for persons that it was not learned from; code says why it is not the score's. */
export type Learned = {
  at: string;
  auc: number;
  calibration: number;
  persons: number;
  came: number;
  measured: number;
  code?: string;
};

/** What a run would change; reviewed is absent when nobody reviewed pairs. */
type Measures = {
  ids: number;
  persons: number;
  largest: number;
  moved: number;
  gone: number;
  reviewed?: { pairs: number; broken: number; precision: number; recall: number };
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
    /** What the warehouse says against a run that failed. */
    detail?: string;
    identity?: Record<string, Measures>;
    built?: Record<string, { persons: number; changed: number; moves: number; scores?: Standing[] | null }>;
  };
};

export async function pulls(workspace: string, signal: AbortSignal): Promise<Pull[]> {
  const answer = await ask({ workspace, action: "pulls:read" }, { path: "/v1/pulls", signal });
  return ((await answer.json()) as { pulls: Pull[] }).pulls;
}

export async function profiles(workspace: string, signal: AbortSignal): Promise<Profiles[]> {
  const answer = await ask({ workspace, action: "profiles:read" }, { path: "/v1/profiles", signal });
  return ((await answer.json()) as { profiles: Profiles[] | null }).profiles ?? [];
}

/** Pulls a stream now. */
export async function pullNow(workspace: string, { source, stream }: Pull): Promise<void> {
  await ask({ workspace, action: "pulls:change" }, { path: "/v1/pulls", body: { verb: "run", source, stream } });
}

/** Runs profiles now. */
export async function runProfiles(workspace: string, profile: string): Promise<void> {
  await ask({ workspace, action: "profiles:run" }, { path: "/v1/profiles/run", body: { profile } });
}
