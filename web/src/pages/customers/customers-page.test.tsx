import { screen, within } from "@testing-library/react";
import { expect, test } from "vitest";
import { expectAccessible, open, plane, Server, workspace } from "../../fake/server";

const path = "/workspaces/acme/customers";
const at = "2026-11-30T02:00:00Z";

function started(): Server {
  const server = new Server();
  server.show({ workspaces: [workspace()], planes: [plane()] });
  server.plane.answers["GET /v1/pulls"] = { status: 200, body: { pulls: [] } };
  server.plane.answers["GET /v1/profiles"] = { status: 200, body: { profiles: null } };
  server.plane.answers["GET /v1/syncs"] = { status: 200, body: { syncs: [] } };
  return server;
}

test("without pulls, profiles and syncs it says what they are", async () => {
  started();
  const { page } = open(path);
  for (const title of ["No source is pulled.", "No profiles.", "No sync."])
    expect(await screen.findByText(title)).toBeTruthy();
  await expectAccessible(page);
});

test("what is pulled, made and sent is shown with its state, and begins when asked", async () => {
  const server = started();
  const pull = {
    source: "desk",
    stream: "tickets",
    type: "zendesk",
    state: "failing",
    code: "source_reauthorize",
    rows: 1200,
    done: null,
    ended: at,
    next: at,
  };
  const built = { user: { persons: 30, changed: 2, moves: 1 }, account: { persons: 4, changed: 0, moves: 0 } };
  const made = {
    name: "customers",
    running: false,
    waits: false,
    last: { state: "held", code: "moved", startedAt: at, built },
  };
  const run = { code: "", began: at, ended: at, planned: 9, accepted: 7, rejected: 1, invalid: 1, waiting: 0 };
  const sync = {
    name: "to-crm",
    model: "people",
    destination: "crm",
    object: "contact",
    state: "warning",
    next: null,
    run,
  };
  server.plane.answers["GET /v1/pulls"] = { status: 200, body: { pulls: [pull] } };
  server.plane.answers["GET /v1/profiles"] = { status: 200, body: { profiles: [made] } };
  server.plane.answers["GET /v1/syncs"] = { status: 200, body: { syncs: [sync] } };
  server.plane.answers["POST /v1/syncs/to-crm/run"] = { status: 200, body: sync };
  const { page, user } = open(path);
  const pulled = within(await screen.findByRole("table", { name: "Pulled sources" }));
  for (const text of ["desk", "tickets", "Failing", "source_reauthorize", "1,200"])
    expect(pulled.getByText(text)).toBeTruthy();
  const persons = within(await screen.findByRole("table", { name: "Profiles" }));
  for (const text of ["customers", "Held", "34", "2"]) expect(persons.getAllByText(text).length).toBeGreaterThan(0);
  const sent = within(await screen.findByRole("table", { name: "Syncs" }));
  for (const text of ["to-crm", "crm, contact", "Warning", "7", "2"])
    expect(sent.getAllByText(text).length).toBeGreaterThan(0);
  await user.click(sent.getByRole("button", { name: "Run now to-crm" }));
  await expect.poll(() => server.plane.calls).toContain("POST /v1/syncs/to-crm/run");
  await expectAccessible(page);
});
