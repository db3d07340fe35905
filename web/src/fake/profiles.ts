import type { WorkspaceDocument } from "../api/client";
import { plane, Server, workspace } from "./server";

/** A profile as pages of profiles are tested with it. */
export const customers = {
  name: "customers",
  warehouse: "lake",
  entities: [
    {
      name: "user",
      ids: [
        { name: "user_id", unique: true },
        { name: "email", clean: "email" as const, limit: { user_id: 3 } },
      ],
      gate: { largest: 200 },
    },
  ],
  inputs: [
    { name: "events", events: "*" },
    { name: "tickets", from: "zendesk_tickets", at: "received_at" },
  ],
  features: [
    { name: "open_tickets", count: "tickets", where: { status: "open" } },
    { name: "email", latest: ["tickets.email"] },
  ],
  audiences: [{ name: "in_trouble", where: { open_tickets: { atLeast: 2 } } }],
};

/** A workspace with profiles, whose plane knows the columns of their inputs. */
export function withProfiles(document: Partial<WorkspaceDocument> = {}): Server {
  const server = new Server();
  server.show({ workspaces: [workspace()], planes: [plane()] });
  const lake = { id: "dst_lake", name: "lake", type: "duckdb", settings: { path: "acme" } };
  server.config = {
    status: 200,
    body: { workspace: "acme", region: "eu", destinations: [lake], profiles: [customers], ...document },
    etag: '"4"',
  };
  server.plane.answers["POST /v1/profiles/inputs"] = {
    status: 200,
    body: {
      inputs: [
        { name: "events", columns: [{ name: "event", type: "text" }] },
        {
          name: "tickets",
          columns: [
            { name: "email", type: "text" },
            { name: "priority", type: "number" },
            { name: "status", type: "text" },
          ],
        },
      ],
    },
  };
  server.plane.answers["POST /v1/profiles/values"] = { status: 200, body: { values: ["open", "closed"] } };
  server.plane.answers["GET /v1/profiles"] = {
    status: 200,
    body: { profiles: [{ name: "customers", running: false, waits: false }] },
  };
  return server;
}

/** What is drafted, as the browser keeps it. */
export const drafted = () => JSON.parse(localStorage.getItem("weir draft /acme") ?? "{}").edits;
