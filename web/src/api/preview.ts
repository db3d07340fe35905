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
