import { screen, within } from "@testing-library/react";
import { beforeEach, expect, test } from "vitest";
import type { WorkspaceDocument } from "../../api/client";
import { expectAccessible, open, plane, refusal, Server, workspace } from "../../fake/server";

beforeEach(() => {
  Range.prototype.getClientRects = () => document.createElement("i").getClientRects(); // jsdom measures no text
});

const lake = { id: "dst_lake", name: "lake", type: "duckdb", settings: { path: "acme" } };
const people = { id: "mod_one", name: "people", warehouse: "lake", key: "id", sql: "select id, email from users;" };
const sync = { id: "sync_one", name: "to-crm", model: "people", destination: "crm", object: "contact" };

function started(document: Partial<WorkspaceDocument> = {}): Server {
  const server = new Server();
  server.show({ workspaces: [workspace()], planes: [plane()] });
  server.config = {
    status: 200,
    body: { workspace: "acme", region: "eu", destinations: [lake], models: [people], syncs: [sync], ...document },
    etag: '"4"',
  };
  return server;
}

const drafted = () => JSON.parse(localStorage.getItem("weir draft /acme") ?? "{}").edits;

test("without models it says what they are", async () => {
  started({ models: [], syncs: [] });
  const { page } = open("/workspaces/acme/models");
  expect(await screen.findByText("No model yet.")).toBeTruthy();
  await expectAccessible(page);
});

test("a model is named by the column that its rows show, and goes into the draft", async () => {
  const server = started({ models: [], syncs: [] });
  server.plane.answers["POST /v1/query"] = '{"id":1,"email":"a@x.org"}\n{"id":2,"email":null}\n';
  const { page, user } = open("/workspaces/acme/models/new");
  await user.click(await screen.findByRole("radio", { name: "a table or view" }));
  await user.type(screen.getByLabelText("Table"), "crm.customers");
  await user.click(screen.getByRole("button", { name: "Preview ten rows" }));
  expect(await screen.findByText("a@x.org")).toBeTruthy();
  expect(server.plane.bodies[0]).toEqual({ destination: "lake", sql: 'select * from "crm"."customers" as m limit 10' });
  await user.type(screen.getByLabelText("Key"), "email");
  expect(await screen.findByText(/email is null in some of them/)).toBeTruthy();
  await user.clear(screen.getByLabelText("Key"));
  await user.type(screen.getByLabelText("Key"), "id");
  await expectAccessible(page);
  await user.click(screen.getByRole("button", { name: "Add to the draft" }));
  expect(await screen.findByRole("link", { name: "Review" })).toBeTruthy();
  const made = { name: "customers", warehouse: "lake", key: "id", table: "crm.customers" };
  expect(drafted()).toEqual([{ kind: "model", key: "customers", base: null, next: made }]);
});

test("what the control plane has against a model stands at its field", async () => {
  const server = started();
  server.difference = {
    status: 200,
    body: { changes: [], number: 4, problems: [{ path: "models[0].key", code: "bad_name", text: "No such column." }] },
  };
  const { user } = open("/workspaces/acme/models/people");
  const key = await screen.findByLabelText("Key");
  await user.clear(key);
  await user.type(key, "nothing");
  await user.click(screen.getByRole("button", { name: "Add to the draft" }));
  expect(await screen.findByText("No such column.")).toBeTruthy();
  expect(drafted()).toBeUndefined();
});

test("a model that a sync reads is not removed", async () => {
  started();
  const { user } = open("/workspaces/acme/models/people");
  await user.click(await screen.findByRole("button", { name: "Remove…" }));
  const dialog = within(await screen.findByRole("dialog"));
  expect(dialog.getByText(/It is needed by the sync to-crm/)).toBeTruthy();
  expect(dialog.queryByRole("button", { name: "Remove" })).toBeNull();
});

test("a warehouse that refuses the statement says why", async () => {
  const server = started();
  server.plane.answers["POST /v1/query"] = refusal(422, "Table users does not exist.");
  const { user } = open("/workspaces/acme/models/people");
  await user.click(await screen.findByRole("button", { name: "Preview ten rows" }));
  expect((await screen.findByRole("alert")).textContent).toContain("Table users does not exist.");
});
