import { lines } from "./ndjson";
import { ask } from "./plane";
import { Problem, sentence } from "./problem";

export const stages = ["gateway", "pipeline", "transform", "deliver", "load"] as const;
export const outcomes = [
  "accepted",
  "duplicate",
  "quarantined",
  "dropped",
  "unrouted",
  "routed",
  "transformed",
  "delivered",
  "retrying",
  "parked",
  "dead",
  "staged",
  "loaded",
] as const;

/** An event as it was at one stage; code is "" or the reason. */
export type Sighting = {
  at: string;
  stage: string;
  source: string;
  destination: string;
  messageId: string;
  outcome: string;
  code: string;
  event: unknown;
};

/** What narrows a live stream; absent means all. search is in the message id, user or name of an event. */
export type Filter = { source?: string; destination?: string; stage?: string; outcome?: string; search?: string };

export type LiveLine = { kind: "open" } | { kind: "sighting"; sighting: Sighting } | { kind: "missed"; count: number };

/** What passes from now on, until the capability ends; then the stream ends too. A Problem when the plane stops. */
export async function* live(workspace: string, filter: Filter, signal: AbortSignal): AsyncGenerator<LiveLine> {
  const answer = await ask({ workspace, action: "live:read" }, { path: "/v1/live", query: queryOf(filter), signal });
  yield { kind: "open" };
  if (!answer.body) return;
  for await (const line of lines(answer.body)) {
    if (!isRecord(line)) continue;
    if (typeof line.missed === "number") yield { kind: "missed", count: line.missed };
    else if (isRecord(line.error)) throw streamProblem(line.error);
    else yield { kind: "sighting", sighting: line as Sighting };
  }
}

/** An event that waits, failed or was refused; status is of the answer and only known of dead ones. */
export type Held = {
  place: string;
  source: string;
  destination: string;
  messageId: string;
  code: string;
  detail: string;
  at: string;
  event: unknown;
  status?: number;
};

export type HeldPage = { items: Held[]; next: string };
export type Shelf = "parked" | "dead" | "quarantine";

/** A page of what a plane keeps. */
export async function heldEvents(
  workspace: string,
  shelf: Shelf,
  filter: { source?: string; destination?: string },
  cursor: string,
  signal: AbortSignal,
  limit = 100,
): Promise<HeldPage> {
  const query = queryOf({ ...filter, limit: String(limit), cursor });
  const answer = await ask({ workspace, action: `${shelf}:read` }, { path: `/v1/${shelf}`, query, signal });
  return (await answer.json()) as HeldPage;
}

/** The Problem that a stream's last line tells. */
export function streamProblem(error: Record<string, unknown>): Problem {
  const text = typeof error.message === "string" && error.message !== "" ? error.message : "The stream broke off";
  return new Problem(503, sentence(text), "");
}

function queryOf(values: Record<string, string | undefined>): URLSearchParams {
  return new URLSearchParams(Object.entries(values).flatMap(([k, v]) => (v ? [[k, v]] : [])));
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
