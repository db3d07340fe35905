import { QueryClientProvider } from "@tanstack/react-query";
import { cleanup, configure, render } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import axe from "axe-core";
import { afterEach, expect, vi } from "vitest";
import catalog from "../../../shared/catalog/catalog.gen.json";
import type { NewCapability, Plane, Status, Workspace, WorkspaceDocument } from "../api/client";
import { chooseOrganization } from "../api/organization";
import { forgetCapabilities } from "../api/plane";
import { App } from "../app";
import { newQueries } from "../queries";
import { Plane as FakePlane, viewUrl } from "./plane";
import { type Reply, refusal, reply } from "./reply";

export { refusal } from "./reply";

const gatewayUrl = "http://127.0.0.1:8090";

/** A control plane in place of fetch. It refuses calls that the contract does not name, and unsafe ones without the header. */
export class Server {
  signedIn = true;
  status: Reply = { status: 200, body: { planes: [], workspaces: [] } };
  login: Reply = { status: 200, body: { email: "ada@example.com", role: "admin" } };
  /** What a sign-in has to bring besides. */
  code: { code?: string } = {};
  config: Reply = { status: 200, body: { workspace: "acme", region: "eu" }, etag: '"4"' };
  apply: Reply = { status: 200, body: { workspace: "ws_one", number: 5, changes: [] } };
  capability: Reply | undefined;
  readonly calls: string[] = [];
  /** Configurations that were applied. */
  readonly applied: { document: WorkspaceDocument; prune?: boolean }[] = [];
  readonly plane = new FakePlane();
  /** What diff answers, and the configurations that it was asked about. */
  difference: Reply = { status: 200, body: { changes: [], problems: [], number: 4 } };
  readonly proposed: { document: WorkspaceDocument; prune?: boolean }[] = [];
  revisions: Reply = { status: 200, body: { revisions: [], next: "" } };
  members: Reply = { status: 200, body: { members: [] } };
  tokens: Reply = { status: 200, body: { tokens: [] } };
  audit: Reply = { status: 200, body: { entries: [], next: "" } };
  changes: Reply = { status: 200, body: { changes: [], next: "" } };
  removal: Response = new Response(null, { status: 204 });
  /** What the status is once the plane is removed. */
  left: Reply | undefined;
  /** What other calls are answered, such as "GET /api/v1/roles"; an empty body is 204. What was sent is in sent. */
  readonly others: Record<string, Reply> = {};
  readonly sent: { call: string; body: unknown }[] = [];
  /** What everything is answered but what the frame asks for. */
  rest: Reply | undefined;

  /** How the gateway answers what is sent to it; what came is in received. */
  gatewayAnswer: Reply = { status: 200, body: { success: true } };
  readonly received: { call: string; key: string; body: unknown }[] = [];

  private async gateway(request: Request): Promise<Response> {
    const url = new URL(request.url);
    const basic = atob((request.headers.get("Authorization") ?? "").replace("Basic ", "")).replace(/:$/, "");
    const key = url.searchParams.get("writeKey") ?? basic;
    this.received.push({ call: `${request.method} ${url.pathname}`, key, body: await request.json() });
    return reply(this.gatewayAnswer);
  }

  constructor() {
    forgetCapabilities();
    chooseOrganization("");
    localStorage.clear();
    vi.stubGlobal("fetch", (request: Request) => {
      if (request.url.startsWith(gatewayUrl)) return this.gateway(request);
      return request.url.startsWith(viewUrl) ? this.plane.answer(request) : this.answer(request);
    });
  }

  show(all: Partial<Status>): void {
    this.status = { status: 200, body: { planes: [], workspaces: [], ...all } };
  }

  private async answer(request: Request): Promise<Response> {
    const call = `${request.method} ${new URL(request.url).pathname}`;
    this.calls.push(call);
    if (request.method !== "GET" && request.headers.get("X-Weir-CSRF") !== "1")
      return problem(403, "The header is missing.");
    const other = this.others[call];
    if (other !== undefined) {
      if (request.method !== "GET") this.sent.push({ call, body: JSON.parse((await request.text()) || "null") });
      const empty = typeof other === "object" && other.body === undefined;
      return empty ? new Response(null, { status: 204 }) : reply(other);
    }
    if (this.rest !== undefined && !isOfFrame(call, new URL(request.url).searchParams)) return reply(this.rest);
    switch (call) {
      case "GET /api/v1/me":
        if (!this.signedIn) return problem(401, "Nobody is signed in.");
        return reply({
          status: 200,
          body: {
            email: "ada@example.com",
            role: "admin",
            kind: "person",
            operator: true,
            organizations: [{ organization: "default", role: "admin" }],
          },
        });
      case "POST /api/v1/login": {
        const got: unknown = await request.json();
        expect(got).toEqual({ email: "ada@example.com", password: "  secret ", ...this.code });
        this.signedIn = typeof this.login === "object" && this.login.status === 200;
        return reply(this.login);
      }
      case "POST /api/v1/logout":
        this.signedIn = false;
        return new Response(null, { status: 204 });
      case "GET /api/v1/status":
        return reply(this.status);
      case "GET /api/v1/workspaces":
        return reply(this.status);
      case "DELETE /api/v1/planes/pl_two":
        if (this.left !== undefined) this.status = this.left;
        return this.removal;
      case "POST /api/v1/capabilities":
        return reply(this.capability ?? issue(await request.json()));
      case "GET /api/v1/workspaces/acme/config":
        return reply(this.config);
      case "PUT /api/v1/workspaces/acme/config":
        expect(request.headers.get("If-Match")).toMatch(/^"\d+"$/);
        this.applied.push(await request.json());
        return reply(this.apply);
      case "POST /api/v1/workspaces/acme/diff":
        this.proposed.push(await request.json());
        return reply(this.difference);
      case "GET /api/v1/workspaces/acme/revisions":
        return reply(this.revisions);
      case "GET /api/v1/catalog":
        return reply({ status: 200, body: { kinds: catalog } });
      case "GET /api/v1/orgs":
        return reply({
          status: 200,
          body: {
            organizations: [{ id: "org_default", name: "default", role: "admin", createdAt: "2026-01-01T00:00:00Z" }],
          },
        });
      case "GET /api/v1/members":
        return reply(this.members);
      case "GET /api/v1/invitations":
        return reply({ status: 200, body: { invitations: [] } });
      case "GET /api/v1/tokens":
        return reply(this.tokens);
      case "GET /api/v1/changes":
        return reply(this.changes);
      case "GET /api/v1/audit":
        return reply(this.audit);
      default:
        return problem(404, `There is no ${call}.`);
    }
  }
}

function isOfFrame(call: string, query: URLSearchParams): boolean {
  return call === "GET /api/v1/me" || (call === "GET /api/v1/status" && (query.has("name") || query.has("limit")));
}

/** A capability for what was asked, if the contract lets it be asked. */
function issue(asked: NewCapability): Reply {
  expect(Object.keys(asked).sort()).toEqual(["action", "origin", "workspace"]);
  expect(asked.origin).toBe(location.origin);
  const expiresAt = new Date(Date.now() + 300_000).toISOString();
  return {
    status: 200,
    body: { token: `cap ${asked.workspace} ${asked.action}`, viewUrl, plane: "pl_one", expiresAt },
  };
}

/** An answer that says what is wrong. */
export function answered(status: number, detail: string): Promise<Response> {
  return reply(refusal(status, detail));
}

function problem(status: number, detail: string): Promise<Response> {
  return reply(refusal(status, detail));
}

/** Draws the console at a path and returns a person who uses it. */
export function open(path = "/") {
  history.replaceState(null, "", path);
  const user = userEvent.setup();
  const drawn = render(
    <QueryClientProvider client={newQueries()}>
      <App />
    </QueryClientProvider>,
  );
  return { user, page: drawn.container };
}

/** Fails when axe finds a barrier. Colours are checked in a real browser only. */
export async function expectAccessible(page: Element): Promise<void> {
  const found = await axe.run(page, { rules: { "color-contrast": { enabled: false } } });
  expect(found.violations.map((v) => `${v.id}: ${v.nodes.map((n) => n.html).join(" ")}`)).toEqual([]);
}

configure({ asyncUtilTimeout: 60_000 }); // ms; a busy machine is slow, not wrong

afterEach(() => {
  cleanup();
  vi.unstubAllGlobals();
});

/** A healthy plane. */
export function plane(p: Partial<Plane> = {}): Plane {
  return {
    id: "pl_one",
    name: "eu-1",
    region: "eu",
    kind: "regional",
    version: "0.1.0",
    sealingKey: "",
    sealingKeySignature: "",
    identityKey: "",
    fingerprint: "9f2c",
    gatewayUrl: "http://127.0.0.1:8090",
    viewUrl: "http://127.0.0.1:8091",
    lastBeat: new Date().toISOString(),
    healthy: true,
    alarms: [],
    conditions: [],
    workspaces: [{ workspace: "acme", wanted: 4, applied: 4, running: 4, state: "applied" }],
    counts: [],
    ...p,
  };
}

/** A workspace whose revision runs. */
export function workspace(w: Partial<Workspace> = {}): Workspace {
  return {
    id: "ws_one",
    name: "acme",
    region: "eu",
    plane: "pl_one",
    number: 4,
    digest: "",
    running: 4,
    applied: 4,
    state: "applied",
    problems: [],
    alarms: [],
    sources: [{ id: "src_one", name: "web", type: "http", writeKey: "wk_verysecret", disabled: false }],
    destinations: [{ id: "dst_one", name: "hook", type: "webhook", disabled: false, parked: 0, dead: 0 }],
    gatewayUrl: "http://127.0.0.1:8090",
    ...w,
  };
}
