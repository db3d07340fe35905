import { isRecord, streamProblem } from "./events";
import { lines } from "./ndjson";
import { ask } from "./plane";

/** What became of one sample event: events, none when it was dropped, or an error. */
export type Outcome = {
  messageId: string;
  events: unknown[];
  logs: string[];
  error: { code: string; message: string } | null;
};

export type Trial = { code: string; libraries: { name: string; code: string }[]; events: unknown[] };

/** Runs code over sample events on a workspace's plane. A Problem with fields when the code does not compile. */
export async function previewTransformation(workspace: string, trial: Trial): Promise<Outcome[]> {
  const signal = AbortSignal.timeout(60_000);
  const answer = await ask(
    { workspace, action: "preview" },
    { path: "/v1/preview/transformation", body: trial, signal },
  );
  const outcomes: Outcome[] = [];
  if (!answer.body) return outcomes;
  for await (const line of lines(answer.body)) {
    if (!isRecord(line)) continue;
    if (!("messageId" in line) && isRecord(line.error)) throw streamProblem(line.error);
    outcomes.push(line as Outcome);
  }
  return outcomes;
}

/** What a destination would be sent for one event: requests, or why none. */
export type Sent = {
  messageId: string;
  requests?: { method: string; url: string; headers?: Record<string, unknown>; body: unknown }[];
  dropped?: string | null;
  error?: string | null;
};

/** spec is of the type custom alone. */
export type DestinationTrial = {
  type: string;
  spec?: string;
  settings: Record<string, unknown>;
  events: unknown[];
};

/** Works out on a workspace's plane what a destination would be sent, without its secrets and without sending it. */
export async function previewDestination(workspace: string, trial: DestinationTrial): Promise<Sent[]> {
  const signal = AbortSignal.timeout(60_000);
  const answer = await ask({ workspace, action: "preview" }, { path: "/v1/preview/destination", body: trial, signal });
  const out: Sent[] = [];
  if (!answer.body) return out;
  for await (const line of lines(answer.body)) {
    if (!isRecord(line)) continue;
    if (!("messageId" in line) && isRecord(line.error)) throw streamProblem(line.error);
    out.push(line as Sent);
  }
  return out;
}
