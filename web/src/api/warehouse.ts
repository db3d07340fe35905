import { isRecord } from "./events";
import { lines } from "./ndjson";
import { ask } from "./plane";

/** One load of a warehouse; next is when it is tried again, or null; code and detail are "" unless it failed. */
export type Load = {
  id: string;
  destination: string;
  at: string;
  state: string;
  rows: number;
  tables: string[];
  /** By table, the events whose names their tables' names do not tell whole. */
  events?: Record<string, string>;
  attempt: number;
  next: string | null;
  code: string;
  detail: string;
};

/** The loads of a warehouse, newest first. */
export async function loads(workspace: string, destination: string, signal: AbortSignal): Promise<Load[]> {
  const query = new URLSearchParams({ destination });
  const answer = await ask({ workspace, action: "loads:read" }, { path: "/v1/loads", query, signal });
  return ((await answer.json()) as { loads: Load[] }).loads;
}

/** Something that somebody changed about a table; at and last are when loads met it, null when none did. */
export type Change = {
  code: string;
  table: string;
  column: string;
  was: string;
  is: string;
  says: string;
  remedy: string;
  held: boolean;
  open: boolean;
  at: string | null;
  last: string | null;
};

/** What somebody changed about the tables of a warehouse. It asks the warehouse. */
export async function drift(workspace: string, destination: string, signal: AbortSignal): Promise<Change[]> {
  const query = new URLSearchParams({ destination });
  const answer = await ask({ workspace, action: "loads:read" }, { path: "/v1/warehouse/drift", query, signal });
  return ((await answer.json()) as { changes: Change[] }).changes;
}

/** The newest backfill of a warehouse, which copies rows of another one; codes are "" unless something waits or failed. */
export type Backfill = {
  id: string;
  from: string;
  destination: string;
  state: string;
  code: string;
  created: string;
  copied: number;
  there: number;
  tables: { table: string; state: string; code: string }[];
};

/** The newest backfill of each warehouse of a workspace that has one. */
export async function backfills(workspace: string, signal: AbortSignal): Promise<Backfill[]> {
  const answer = await ask({ workspace, action: "loads:read" }, { path: "/v1/warehouse/backfills", signal });
  return ((await answer.json()) as { backfills?: Backfill[] }).backfills ?? [];
}

/** Lets a warehouse be loaded without delay, and returns when the plane heard of it. */
export async function loadNow(workspace: string, destination: string): Promise<string> {
  const signal = AbortSignal.timeout(60_000);
  const call = { path: "/v1/loads", body: { destination }, signal };
  const answer = await ask({ workspace, action: "loads:start" }, call);
  return ((await answer.json()) as { at: string }).at;
}

/** Whether a plane can use a destination; code says why not. tried is what it did, ms how long it took. */
export type Test = {
  ok: boolean;
  code: string;
  detail: string;
  tried?: "connection" | "request" | "session";
  ms?: number;
};

/** Tests a destination from where the plane is. */
export async function testDestination(workspace: string, destination: string): Promise<Test> {
  const signal = AbortSignal.timeout(60_000);
  const call = { path: "/v1/destinations/test", body: { destination }, signal };
  return (await (await ask({ workspace, action: "destination:test" }, call)).json()) as Test;
}

/** Rows of a query by the columns' names; ending says why there are no more, "" when these are all. */
export type Rows = { rows: Record<string, unknown>[]; ending: string };

/** Runs SQL in a warehouse and reads at most so many rows. A Problem when it fails before the first row. */
export async function query(workspace: string, destination: string, sql: string, most: number): Promise<Rows> {
  const signal = AbortSignal.timeout(150_000); // the plane stops after 2 minutes
  const answer = await ask({ workspace, action: "query" }, { path: "/v1/query", body: { destination, sql }, signal });
  const rows: Record<string, unknown>[] = [];
  if (!answer.body) return { rows, ending: "" };
  let held: Record<string, unknown> | undefined; // an error is the last line, a row is any
  for await (const line of lines(answer.body)) {
    if (held) rows.push(held);
    held = undefined;
    if (rows.length >= most) return { rows, ending: `These are the first ${most} rows; add a limit or a filter.` };
    if (isRecord(line)) held = line;
  }
  if (held && isError(held)) return { rows, ending: `The rows end early: ${held.error.message}` };
  return { rows: held ? [...rows, held] : rows, ending: "" };
}

function isError(line: Record<string, unknown>): line is { error: { code: string; message: string } } {
  const { error } = line;
  return Object.keys(line).length === 1 && isRecord(error) && typeof error.code === "string";
}
