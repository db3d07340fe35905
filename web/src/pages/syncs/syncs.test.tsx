import { screen, within } from "@testing-library/react";
import { expect, test } from "vitest";
import type { WorkspaceDocument } from "../../api/client";
import type { Sync } from "../../api/syncs";
import { expectAccessible, open, plane, Server, workspace } from "../../fake/server";

const at = "2026-11-30T02:00:00Z";
const lake = { id: "dst_lake", name: "lake", type: "duckdb", settings: { path: "acme" } };
const crm = { id: "dst_crm", name: "crm", type: "customerio" };
const people = { id: "mod_one", name: "people", warehouse: "lake", key: "id", sql: "select id, email from users" };
const declared = {
  id: "sync_one",
  name: "to-crm",
  model: "people",
  destination: "crm",
  object: "person",
  identifiers: { id: "id" },
  mapping: { plan: "plan" },
};
const run = {
  id: "run_1",
  state: "completed",
  code: "",
  began: at,
  ended: at,
  planned: 9,
  accepted: 7,
  rejected: 2,
  invalid: 0,
  removed: 0,
  waiting: 2,
};
const live: Sync = {
  id: "sync_one",
  name: "to-crm",
  model: "people",
  destination: "crm",
  object: "person",
  mode: "upsert",
  state: "warning",
  paused: false,
  next: null,
  detail: "",
  run,
};

function started(document: Partial<WorkspaceDocument> = {}, now: Sync[] = [live]): Server {
  const server = new Server();
  server.show({ workspaces: [workspace()], planes: [plane()] });
  server.config = {
    status: 200,
    body: {
      workspace: "acme",
      region: "eu",
      destinations: [lake, crm],
      models: [people],
      syncs: [declared],
      ...document,
    },
    etag: '"4"',
  };
  server.plane.answers["GET /v1/syncs"] = { status: 200, body: { syncs: now } };
  server.plane.answers["POST /v1/query"] = "";
  return server;
}

const drafted = () => JSON.parse(localStorage.getItem("weir draft /acme") ?? "{}").edits;

test("without syncs it says what they are", async () => {
  started({ syncs: [] }, []);
  const { page } = open("/workspaces/acme/syncs");
  expect(await screen.findByText("No sync yet.")).toBeTruthy();
  await expectAccessible(page);
});

test("syncs show how they are, and run when asked", async () => {
  const server = started();
  server.plane.answers["POST /v1/syncs/to-crm/run"] = { status: 200, body: live };
  const { page, user } = open("/workspaces/acme/syncs");
  const table = within(await screen.findByRole("table", { name: "Syncs" }));
  expect(await table.findByText("Warning")).toBeTruthy();
  expect(table.getByText("crm, person")).toBeTruthy();
  await expectAccessible(page);
  await user.click(table.getByRole("button", { name: "Run now to-crm" }));
  await expect.poll(() => server.plane.calls).toContain("POST /v1/syncs/to-crm/run");
});

test("a new sync maps columns to the destination's fields and goes into the draft", async () => {
  const server = started({ syncs: [] }, []);
  server.plane.answers["POST /v1/query"] = '{"id":1,"email":"a@x.org","plan":"pro"}\n';
  const { page, user } = open("/workspaces/acme/syncs/new?model=people");
  await screen.findByRole("option", { name: "crm" });
  await user.selectOptions(screen.getByLabelText("Go to"), "crm");
  expect(await screen.findByRole("button", { name: "Add every column that is left" })).toBeTruthy();
  expect(screen.getByLabelText("As")).toHaveProperty("value", "person");
  expect(screen.getByLabelText("Column 1 of Identifiers")).toHaveProperty("value", "id");
  await user.click(screen.getByRole("button", { name: "Add every column that is left" }));
  await user.selectOptions(screen.getByLabelText("When it runs"), "every");
  await expectAccessible(page);
  await user.click(screen.getByRole("button", { name: "Add to the draft" }));
  expect(await screen.findByRole("link", { name: "Review" })).toBeTruthy();
  expect(drafted()[0].next).toEqual({
    name: "people",
    model: "people",
    destination: "crm",
    object: "person",
    identifiers: { id: "id" },
    mapping: { email: "email", plan: "plan" },
    schedule: { every: "15m" },
  });
});

test("modes that the destination cannot do are not offered", async () => {
  started();
  open("/workspaces/acme/syncs/to-crm?tab=settings");
  await screen.findByRole("option", { name: "People" });
  const offered = within(screen.getByLabelText("What it does")).getAllByRole("option");
  expect(offered.map((o) => o.getAttribute("value"))).toEqual(["upsert", "mirror"]);
});

test("a held sync says what it would remove, and goes on when somebody agrees", async () => {
  const held: Sync = { ...live, state: "held", run: { ...run, state: "held", code: "sync_removals", removed: 1200 } };
  const server = started({}, [held]);
  server.plane.answers["POST /v1/syncs/to-crm/approve"] = { status: 200, body: live };
  const { page, user } = open("/workspaces/acme/syncs/to-crm");
  expect(await screen.findByText(/It would remove 1,200 records/)).toBeTruthy();
  await expectAccessible(page);
  await user.click(screen.getByRole("button", { name: "Remove 1,200 records by to-crm" }));
  await expect.poll(() => server.plane.calls).toContain("POST /v1/syncs/to-crm/approve");
});

test("a mapping that changed asks what the destination has", async () => {
  const held: Sync = { ...live, state: "held", run: { ...run, state: "held", code: "sync_mapping" } };
  const server = started({}, [held]);
  server.plane.answers["POST /v1/syncs/to-crm/approve"] = { status: 200, body: live };
  const { user } = open("/workspaces/acme/syncs/to-crm");
  await user.click(await screen.findByRole("button", { name: "Take them as sent by to-crm" }));
  await expect.poll(() => server.plane.bodies).toContainEqual({ mapping: "assume" });
});

test("refused rows are grouped by their reason and tried again", async () => {
  const server = started();
  const row = { identifiers: "", op: "insert", tries: 2, due: at, waived: false, at };
  server.plane.answers["GET /v1/syncs/to-crm/rejects"] = {
    status: 200,
    body: {
      rejects: [
        { ...row, key: "u1", code: "rejected_422" },
        { ...row, key: "u2", code: "rejected_422" },
        { ...row, key: "u3", code: "timeout" },
      ],
    },
  };
  server.plane.answers["POST /v1/syncs/to-crm/retry"] = { status: 200, body: { ...live, rows: 2 } };
  const { page, user } = open("/workspaces/acme/syncs/to-crm?tab=refused-rows");
  expect(await screen.findByText(/2 rows: the destination rejected it with status 422/)).toBeTruthy();
  expect(screen.getByText(/1 row: the destination did not answer in time/)).toBeTruthy();
  await expectAccessible(page);
  await user.click(screen.getByRole("button", { name: "Try again rows with rejected_422" }));
  await expect.poll(() => server.plane.bodies).toContainEqual({ code: "rejected_422" });
});

test("past runs come from the warehouse", async () => {
  const server = started();
  const past = { ...run, id: "run_0", state: "failed", code: "sync_model" };
  server.plane.answers["POST /v1/query"] = `${JSON.stringify(past)}\n`;
  open("/workspaces/acme/syncs/to-crm");
  const table = within(await screen.findByRole("table", { name: "Runs" }));
  expect(table.getByText("sync_model")).toBeTruthy();
  expect(JSON.stringify(server.plane.bodies)).toContain("where sync = 'sync_one'");
});
