import { expect } from "vitest";
import { type Reply, refusal, reply } from "./reply";

/** Where the fake plane's view is. */
export const viewUrl = "http://127.0.0.1:8091";

/** Every call of a plane's view, with the action that its capability must have. */
const calls: Record<string, string> = {
  "GET /v1/live": "live:read",
  "GET /v1/ledger": "ledger:read",
  "GET /v1/arrivals": "ledger:read",
  "POST /v1/preview/destination": "preview",
  "GET /v1/parked": "parked:read",
  "GET /v1/dead": "dead:read",
  "GET /v1/quarantine": "quarantine:read",
  "POST /v1/jobs/redrive": "dead:redrive",
  "POST /v1/jobs/discard": "dead:discard",
  "POST /v1/jobs/replay": "quarantine:replay",
  "POST /v1/jobs/discard-quarantined": "quarantine:discard",
  "GET /v1/jobs": "jobs:read",
  "POST /v1/jobs/job_a/stop": "jobs:stop",
  "GET /v1/loads": "loads:read",
  "GET /v1/warehouse/drift": "loads:read",
  "GET /v1/warehouse/backfills": "loads:read",
  "POST /v1/loads": "loads:start",
  "POST /v1/query": "query",
  "POST /v1/preview/transformation": "preview",
  "POST /v1/destinations/test": "destination:test",
  "GET /v1/pulls": "pulls:read",
  "POST /v1/pulls": "pulls:change",
  "GET /v1/profiles": "profiles:read",
  "POST /v1/profiles/run": "profiles:run",
  "GET /v1/syncs": "syncs:read",
  "POST /v1/syncs/to-crm/run": "syncs:run",
  "POST /v1/syncs/to-crm/pause": "syncs:run",
  "POST /v1/syncs/to-crm/approve": "syncs:run",
  "POST /v1/syncs/to-crm/retry": "syncs:run",
  "GET /v1/syncs/to-crm/rejects": "query",
  "GET /v1/syncs/to-crm/preview": "query",
  "POST /v1/profiles/preview": "profiles:lookup",
  "POST /v1/profiles/rules": "profiles:lookup",
  "POST /v1/profiles/inputs": "profiles:read",
  "POST /v1/profiles/values": "profiles:lookup",
  "POST /v1/profiles/sizes": "profiles:read",
  "POST /v1/profiles/scores": "profiles:read",
  "POST /v1/profiles/person": "profiles:lookup",
  "POST /v1/profiles/explain": "profiles:lookup",
  "POST /v1/profiles/reviews": "profiles:lookup",
  "POST /v1/profiles/held": "profiles:lookup",
  "POST /v1/profiles/decide": "profiles:decide",
  "POST /v1/profiles/publish": "profiles:decide",
};

/** What a call may ask for: the names in its query, or in its body. */
const fields: Record<string, string[]> = {
  "GET /v1/live": ["source", "destination", "stage", "outcome", "search"],
  "GET /v1/parked": ["source", "destination", "limit", "cursor"],
  "GET /v1/dead": ["source", "destination", "code", "limit", "cursor"],
  "GET /v1/quarantine": ["source", "destination", "limit", "cursor"],
  "POST /v1/jobs/redrive": ["source", "destination", "places", "code", "all", "rate", "retransform", "preview"],
  "POST /v1/jobs/discard": ["source", "destination", "places", "code", "all", "rate", "preview"],
  "POST /v1/jobs/replay": ["source", "destination", "places", "code", "all", "rate"],
  "POST /v1/jobs/discard-quarantined": ["source", "destination", "places", "code", "all", "rate"],
  "GET /v1/loads": ["destination"],
  "GET /v1/warehouse/drift": ["destination"],
  "POST /v1/loads": ["destination"],
  "POST /v1/query": ["destination", "sql"],
  "POST /v1/preview/destination": ["type", "spec", "settings", "events"],
  "POST /v1/preview/transformation": ["code", "libraries", "events"],
  "POST /v1/destinations/test": ["destination"],
  "POST /v1/pulls": ["verb", "source", "stream", "from"],
  "POST /v1/profiles/run": ["profile", "entity", "full"],
  "POST /v1/syncs/to-crm/run": [],
  "POST /v1/syncs/to-crm/pause": [],
  "POST /v1/syncs/to-crm/approve": ["mapping"],
  "POST /v1/syncs/to-crm/retry": ["code"],
  "GET /v1/syncs/to-crm/rejects": ["limit"],
  "GET /v1/syncs/to-crm/preview": ["limit"],
  "POST /v1/profiles/preview": ["profile", "entity", "name", "features", "scores", "audiences", "conditions"],
  "POST /v1/profiles/rules": ["profile", "entity", "entities", "inputs"],
  "POST /v1/profiles/inputs": ["profile"],
  "POST /v1/profiles/values": ["profile", "input", "column"],
  "POST /v1/profiles/sizes": ["profile"],
  "POST /v1/profiles/scores": ["profile"],
  "POST /v1/profiles/person": ["profile", "entity", "a"],
  "POST /v1/profiles/explain": ["profile", "entity", "a", "b"],
  "POST /v1/profiles/reviews": ["profile", "entity"],
  "POST /v1/profiles/held": ["profile", "entity"],
  "POST /v1/profiles/decide": ["profile", "entity", "kind", "a", "b", "undo"],
  "POST /v1/profiles/publish": ["profile", "full"],
};

/** A data plane's view. It refuses calls without their capability, and those that the contract does not name. */
export class Plane {
  /** "down": nothing answers; "foreign": it answers, but not to this origin. */
  door: "open" | "down" | "foreign" = "open";
  /** Answers by call, or what makes one of a call's body; those of streams are texts. */
  readonly answers: Record<string, Reply | ((body: object) => Reply)> = {};
  /** What every call is answered that answers does not have. */
  rest: Reply | undefined;
  /** Calls with their query, and the bodies of those that have one. */
  readonly calls: string[] = [];
  readonly bodies: unknown[] = [];
  /** Whether the next capability is refused, as if it had ended. */
  refuseOnce = false;
  private readers: ReadableStreamDefaultController<Uint8Array>[] = [];

  /** Sends lines to everybody who watches. */
  send(...lines: unknown[]): void {
    const text = lines.map((l) => `${JSON.stringify(l)}\n`).join("");
    for (const r of this.readers) r.enqueue(new TextEncoder().encode(text));
  }

  /** Ends the streams that are open, as the end of a capability does. */
  end(): void {
    for (const r of this.readers.splice(0)) r.close();
  }

  async answer(request: Request): Promise<Response> {
    const url = new URL(request.url);
    const call = `${request.method} ${url.pathname}`;
    if (this.door === "down") throw new TypeError("Failed to fetch");
    if (request.mode === "no-cors") return Response.json({ status: "ok" });
    if (this.door === "foreign") throw new TypeError("Failed to fetch");
    this.calls.push(`${call}${url.search}`);
    const action = calls[call];
    if (action === undefined) return reply(refusal(404, `There is no ${call}.`));
    if (this.refuseOnce || !request.headers.get("Authorization")?.match(new RegExp(`^Bearer cap [^ ]+ ${action}$`))) {
      this.refuseOnce = false;
      return reply(refusal(401, "The capability is not good for this."));
    }
    const allowed = fields[call] ?? [];
    for (const name of url.searchParams.keys()) expect(allowed).toContain(name);
    const body: object = request.method === "POST" ? await request.json() : {};
    if (request.method === "POST") {
      for (const name of Object.keys(body)) expect(allowed).toContain(name);
      this.bodies.push(body);
    }
    const set = this.answers[call];
    if (set !== undefined) return reply(typeof set === "function" ? set(body) : set);
    if (this.rest !== undefined) return reply(this.rest);
    if (call === "GET /v1/live") return this.stream();
    const empty = {
      "GET /v1/loads": { loads: [] },
      "GET /v1/jobs": { jobs: [] },
      "GET /v1/ledger": { rows: [] },
      "GET /v1/arrivals": { since: new Date().toISOString(), sources: [] },
    }[call];
    return reply({ status: 200, body: empty ?? { items: [], next: "" } });
  }

  private stream(): Response {
    const readers = this.readers;
    const body = new ReadableStream<Uint8Array>({
      start(c) {
        c.enqueue(new TextEncoder().encode("\n"));
        readers.push(c);
      },
      cancel() {
        readers.splice(0);
      },
    });
    return new Response(body, { headers: { "Content-Type": "application/x-ndjson" } });
  }
}
