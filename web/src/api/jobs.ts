import { type Action, ask } from "./plane";

/** What a job does: the first three to dead letters, the others to quarantined events. */
export type JobKind = "redrive" | "retransform" | "discard" | "replay" | "discard_quarantined";

/** A move of many events that a plane does by itself. total is null until they are counted. */
export type Job = {
  id: string;
  kind: JobKind;
  state: "running" | "done" | "stopped" | "failed";
  reason: string;
  source: string;
  destination: string;
  code: string;
  rate: number;
  moved: number;
  total: number | null;
  created: string;
  ended: string | null;
};

/** What begins a job, and the capability for it. */
const verbs = {
  redrive: "dead:redrive",
  discard: "dead:discard",
  replay: "quarantine:replay",
  "discard-quarantined": "quarantine:discard",
} satisfies Record<string, Action>;

export type Verb = keyof typeof verbs;

/** Which events a job moves; rate is events a second, 0 for as fast as the plane can. */
export type Selection = {
  source?: string;
  destination?: string;
  code?: string;
  all: boolean;
  rate: number;
  retransform?: boolean;
};

/** The jobs of a workspace, newest first: those that run and the last hundred that ended. */
export async function jobs(workspace: string, signal: AbortSignal): Promise<Job[]> {
  const answer = await ask({ workspace, action: "jobs:read" }, { path: "/v1/jobs", signal });
  return ((await answer.json()) as { jobs: Job[] }).jobs;
}

/** Begins a job. A Problem with status 409: one that runs may be about the same events. */
export async function beginJob(workspace: string, verb: Verb, body: Selection): Promise<Job> {
  const answer = await ask({ workspace, action: verbs[verb] }, { path: `/v1/jobs/${verb}`, body });
  return (await answer.json()) as Job;
}

/** Stops a job; what it moved stays moved. */
export async function stopJob(workspace: string, job: string): Promise<Job> {
  const answer = await ask(
    { workspace, action: "jobs:stop" },
    { path: `/v1/jobs/${encodeURIComponent(job)}/stop`, body: {} },
  );
  return (await answer.json()) as Job;
}

/** How many dead letters a job would be about; of quarantined events a plane does not say before. */
export async function countFor(workspace: string, verb: "redrive" | "discard", body: Selection): Promise<number> {
  const answer = await ask(
    { workspace, action: verbs[verb] },
    { path: `/v1/jobs/${verb}`, body: { ...body, preview: true } },
  );
  return ((await answer.json()) as { chosen: number }).chosen;
}
