import { cleanup, waitFor, within } from "@testing-library/react";
import { expect, test } from "vitest";
import type { WorkspaceDocument } from "../api/client";
import { customers } from "../fake/profiles";
import { expectAccessible, open, plane, refusal, Server, workspace } from "../fake/server";
import { paths } from "./router";

const document: WorkspaceDocument = {
  workspace: "acme",
  region: "eu",
  sources: [{ id: "src_one", name: "web", type: "http", writeKey: "wk_verysecret" }],
  destinations: [
    { id: "dst_one", name: "hook", type: "webhook", settings: { url: "http://127.0.0.1:9/" } },
    { id: "dst_crm", name: "crm", type: "customerio" },
    { id: "dst_lake", name: "lake", type: "duckdb", settings: { path: "acme" } },
  ],
  transformations: [{ name: "mask", language: "javascript", code: "export default (e) => e" }],
  connections: [{ source: "web", destination: "hook", transformations: ["mask"] }],
  models: [{ id: "mod_one", name: "people", warehouse: "lake", key: "id", sql: "select id from users" }],
  syncs: [
    {
      id: "sync_one",
      name: "to-crm",
      model: "people",
      destination: "crm",
      object: "person",
      identifiers: { id: "id" },
    },
  ],
  profiles: [
    { ...customers, scores: [{ name: "risk", model: "logistic", intercept: -1, weights: { open_tickets: 0.8 } }] },
  ],
};

/** An object of the document for the parameter of each page. */
const examples: Record<string, string> = {
  "policies/$name": "policies/no-lakes",
  "sources/$name": "sources/web",
  "destinations/$name": "destinations/hook",
  "destinations/new/$type": "destinations/new/webhook",
  "connections/$source/$destination": "connections/web/hook",
  "models/$name": "models/people",
  "syncs/$name": "syncs/to-crm",
  "customers/$identifier": "customers/user_id:ada",
  "features/$name": "features/open_tickets",
  "scores/$name": "scores/risk",
  "audiences/$name": "audiences/in_trouble",
  "history/$number": "history/3",
  "changes/$workspace/$number": "changes/acme/3",
};

function addressOf(pattern: string): string {
  const page = pattern.replace("/workspaces/$workspace", "").replace(/^\//, "");
  const at = pattern.startsWith("/workspaces") ? "/workspaces/acme" : "";
  return `${at}/${examples[page] ?? page}`.replace(/\/$/, "");
}

/** Pages that show what the frame knows, and ask for nothing of their own before somebody does something. */
const askNothing = ["/new-workspace", "/new-policy", "/planes"];

function started(): Server {
  const server = new Server();
  const summaries = [{ id: "dst_lake", name: "lake", type: "duckdb", disabled: false, parked: 0, dead: 0 }];
  server.show({ planes: [plane()], workspaces: [workspace({ destinations: summaries })] });
  server.config = { status: 200, body: document, etag: '"4"' };
  return server;
}

/** The page once it has its title: the frame is there, and its code. */
async function shown(page: HTMLElement): Promise<HTMLElement> {
  return await waitFor(() => {
    const main = page.querySelector<HTMLElement>("main#page");
    if (!main) throw new Error("the frame is not there");
    within(main).getByRole("heading", { level: 1 });
    return main;
  });
}

/** Nothing that is shown is the console's own mistake. */
async function sound(main: HTMLElement) {
  expect(main.textContent).not.toContain("A part of the console could not be loaded");
  expect(main.textContent).not.toContain("mistake in the console");
  await expectAccessible(main);
}

test.each(paths.map(addressOf))("%s says that it waits, why it failed and who may not see it", async (at) => {
  const asks = !askNothing.includes(at);
  {
    const server = started();
    server.rest = "never";
    const { page } = open(at);
    const main = await shown(page);
    if (asks) await within(main).findAllByRole("status", { name: /^Loading / });
    await sound(main);
    cleanup();
  }
  {
    const server = started();
    server.rest = refusal(503, "The database does not answer.");
    const { page } = open(at);
    const main = await shown(page);
    if (asks) {
      await within(main).findAllByText("The database does not answer.");
      expect(main.textContent).toContain("look into the control plane's log");
      expect(within(main).getAllByRole("button", { name: "Try again now" }).length).toBeGreaterThan(0);
    }
    await sound(main);
    cleanup();
  }
  {
    const server = started();
    server.rest = refusal(403, "the role viewer does not allow workspace:read");
    const { page } = open(at);
    const main = await shown(page);
    if (asks) {
      await within(main).findAllByText(/^You may not see /);
      expect(main.textContent).toContain("The role viewer does not allow workspace:read.");
      expect(main.textContent).toContain("An owner or admin of the organization can give you such a role");
    }
    await sound(main);
  }
});

/** Pages of a workspace that ask its data plane when they are opened. */
const ofPlane = [
  "",
  "sources",
  "sources/web",
  "destinations",
  "destinations/hook",
  "connections",
  "connections/web/hook",
  "connections/web/hook?tab=events",
  "events",
  "events?tab=problems",
  "warehouses",
  "syncs",
  "syncs/to-crm",
  "syncs/to-crm?tab=refused-rows",
  "syncs/to-crm?tab=preview",
  "customers",
  "customers/user_id:ada",
  "identity",
  "scores",
  "scores/risk",
  "audiences",
  "audiences/in_trouble",
];

test.each(ofPlane)("/workspaces/acme/%s says why its data plane does not answer", async (rest) => {
  const at = `/workspaces/acme/${rest}`.replace(/\/$/, "");
  {
    const server = started();
    server.plane.rest = "never";
    const { page } = open(at);
    await sound(await shown(page));
    cleanup();
  }
  {
    const server = started();
    server.plane.door = "down";
    const { page } = open(at);
    const main = await shown(page);
    await within(main).findAllByText(/Nothing answers at 127\.0\.0\.1:8091/);
    expect(main.textContent).toMatch(/weir [a-z]+ /);
    expect(within(main).getAllByRole("button", { name: "Try again now" }).length).toBeGreaterThan(0);
    await sound(main);
    cleanup();
  }
  {
    const server = started();
    server.plane.rest = refusal(503, "The partition does not run here.");
    const { page } = open(at);
    const main = await shown(page);
    await within(main).findAllByText(/The partition does not run here\./);
    expect(main.textContent).toContain("look into the data plane's log");
    await sound(main);
    cleanup();
  }
  {
    const server = started();
    server.capability = refusal(403, "the role auditor does not allow capability:ledger:read");
    const { page } = open(at);
    const main = await shown(page);
    await within(main).findAllByText(/^You may not /);
    expect(main.textContent).toContain("See how many events come and go");
    await sound(main);
  }
});
