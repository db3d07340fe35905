import { act, fireEvent, screen, within } from "@testing-library/react";
import { EditorView } from "codemirror";
import { expect, test } from "vitest";
import catalog from "../../../../shared/catalog/catalog.gen.json";
import type { Load } from "../../api/warehouse";
import { expectAccessible, open, plane, refusal, Server, workspace } from "../../fake/server";
import { warehouseTypes } from "./kinds";

const path = "/workspaces/acme/warehouses";
const lake = { id: "dst_lake", name: "lake", type: "duckdb", disabled: false, parked: 0, dead: 0 };

function started(): Server {
  const server = new Server();
  server.show({ workspaces: [workspace({ destinations: [lake] })], planes: [plane()] });
  return server;
}

function load(l: Partial<Load> = {}): Load {
  const at = new Date(Date.now() - 12_000).toISOString();
  const done = { attempt: 1, next: null, code: "", detail: "" };
  return { id: "l1", destination: "lake", at, state: "done", rows: 1200, tables: ["tracks", "users"], ...done, ...l };
}

/** Writes SQL into the editor, which lives in a shadow root. */
async function write(page: Element, sql: string): Promise<HTMLElement> {
  const find = () => [...page.querySelectorAll("*")].find((e) => e.shadowRoot)?.shadowRoot?.querySelector(".cm-editor");
  await expect.poll(find, { timeout: 60_000 }).toBeTruthy();
  const editor = find();
  const view = editor instanceof HTMLElement ? EditorView.findFromDOM(editor) : null;
  if (!view) throw new Error("there is no editor");
  act(() => view.dispatch({ changes: { from: 0, to: view.state.doc.length, insert: sql } }));
  return view.contentDOM;
}

test("while it loads it says so", async () => {
  started().plane.answers["GET /v1/loads"] = "never";
  open(path);
  expect(await screen.findByRole("status", { name: "Loading the loads of lake" })).toBeTruthy();
});

test("without a warehouse it shows how to add one", async () => {
  const server = new Server();
  server.show({ workspaces: [workspace()], planes: [plane()] });
  const { page } = open(path);
  expect(await screen.findByText("No warehouse yet.")).toBeTruthy();
  expect(screen.getByText(/type: duckdb/)).toBeTruthy();
  await expectAccessible(page);
});

test("without loads it says when there is one", async () => {
  started();
  const { page } = open(path);
  expect(await screen.findByText("No load yet.")).toBeTruthy();
  await expectAccessible(page);
});

test("a plane that is out of reach is explained, with the line to paste", async () => {
  started().plane.door = "foreign";
  open(path);
  expect((await screen.findByRole("alert")).textContent).toContain("answers, but not to pages of");
  expect(screen.getByText("weir tail --workspace acme --destination lake --stage load")).toBeTruthy();
});

test("loads are shown with rows, freshness, errors and what to do", async () => {
  const server = started();
  const failed = { code: "load_auth", detail: "password authentication failed", attempt: 3, state: "failing" };
  const body = { loads: [load({ id: "l2", ...failed }), load()] };
  server.plane.answers["GET /v1/loads"] = { status: 200, body };
  const { page } = open(path);
  expect(await screen.findByText(/Last loaded 1\d s ago/)).toBeTruthy();
  const table = within(screen.getByRole("table", { name: "Loads of lake" }));
  expect(table.getAllByText("1,200")).toHaveLength(2);
  expect(table.getByText(/The warehouse refused the sign-in: password authentication failed/)).toBeTruthy();
  expect(table.getByText(/Check user and password/)).toBeTruthy();
  expect(table.getByText("Attempt 3.")).toBeTruthy();
  expect(server.plane.calls[0]).toBe("GET /v1/loads?destination=lake");
  await expectAccessible(page);
});

test("a connection test says what to do", async () => {
  const server = started();
  server.plane.answers["POST /v1/destinations/test"] = {
    status: 200,
    body: { ok: false, code: "resolve_failed", detail: "no such host" },
  };
  const { user } = open(path);
  await user.click(await screen.findByRole("button", { name: "Test the connection to lake" }));
  const alert = await screen.findByRole("alert");
  expect(alert.textContent).toContain("no such host");
  expect(alert.textContent).toContain("Check the host's name");
  server.plane.answers["POST /v1/destinations/test"] = { status: 200, body: { ok: true, code: "", detail: "" } };
  await user.click(screen.getByRole("button", { name: "Test the connection to lake" }));
  expect(await screen.findByText("The plane signs in to it.")).toBeTruthy();
});

test("a warehouse is loaded without delay", async () => {
  const server = started();
  server.plane.answers["POST /v1/loads"] = { status: 200, body: { at: new Date().toISOString() } };
  const { user } = open(path);
  await user.click(await screen.findByRole("button", { name: "Load now into lake" }));
  expect(await screen.findByText(/The plane loads what waits/)).toBeTruthy();
  expect(server.plane.bodies).toContainEqual({ destination: "lake" });
});

test("a load that may not be asked for says why", async () => {
  started().plane.answers["POST /v1/loads"] = refusal(403, "Your role may not load it.");
  const { user } = open(path);
  await user.click(await screen.findByRole("button", { name: "Load now into lake" }));
  expect((await screen.findByRole("alert")).textContent).toContain("Your role may not load it.");
});

test("rows of a query are a table, also when they end early", async () => {
  const server = started();
  server.plane.answers["POST /v1/query"] =
    '{"id":"e1","total":null}\n{"id":"e2","total":12.5}\n{"error":{"code":"limit_time","message":"2 minutes are over"}}\n';
  const { page } = open(path);
  fireEvent.keyDown(await write(page, "select 1"), { key: "Enter", ctrlKey: true, composed: true, bubbles: true });
  const table = within(await screen.findByRole("table", { name: "Rows" }));
  expect(table.getAllByRole("columnheader").map((c) => c.textContent)).toEqual(["id", "total"]);
  expect(table.getAllByRole("cell").map((c) => c.textContent)).toEqual(["e1", "null", "e2", "12.5"]);
  expect(screen.getByText(/2 rows\. The rows end early: 2 minutes are over/)).toBeTruthy();
  expect(server.plane.bodies).toEqual([{ destination: "lake", sql: "select 1" }]);
  expect(location.hash).toBe("#lake=select+1");
  expect(screen.getByRole("button", { name: "Save as CSV" })).toBeTruthy();
  await expectAccessible(page);
});

test("more rows than a page holds are cut with a word about it", async () => {
  const server = started();
  server.plane.answers["POST /v1/query"] = Array.from({ length: 300 }, (_, i) => `{"n":${i}}\n`).join("");
  const { user, page } = open(path);
  await write(page, "select n");
  await user.click(screen.getByRole("button", { name: "Run" }));
  expect(await screen.findByText(/200 rows\. These are the first 200 rows/)).toBeTruthy();
});

test("SQL that the warehouse refuses says why", async () => {
  const server = started();
  server.plane.answers["POST /v1/query"] = refusal(400, "There is no table nothing.");
  const { user, page } = open(path);
  await write(page, "select * from nothing");
  await user.click(screen.getByRole("button", { name: "Run" }));
  expect((await screen.findByRole("alert")).textContent).toContain("There is no table nothing.");
});

test("tables are shown with the types of their columns, and a click looks at rows", async () => {
  const server = started();
  server.plane.answers["POST /v1/query"] =
    '{"table_schema":"main","table_name":"tracks","column_name":"id","data_type":"VARCHAR"}\n{"table_schema":"main","table_name":"tracks","column_name":"at","data_type":"TIMESTAMP"}\n';
  const { user, page } = open(path);
  await user.click(await screen.findByText("Tables of lake"));
  await user.click(await screen.findByText("tracks"));
  expect(screen.getByText("timestamp")).toBeTruthy();
  await expectAccessible(page);
  await user.click(screen.getByRole("button", { name: "Look at 20 rows of tracks" }));
  await expect
    .poll(() => server.plane.bodies)
    .toContainEqual({ destination: "lake", sql: "select * from main.tracks limit 20" });
});

test("what others changed about tables is told with what to do", async () => {
  const server = started();
  server.plane.answers["GET /v1/loads"] = { status: 200, body: { loads: [load()], waiting: [] } };
  const met = { was: "", is: "", held: false, open: false, at: "2026-01-02T03:04:05Z", last: "2026-01-02T03:04:05Z" };
  const changes = [
    { ...met, code: "table_denied", table: "pages", column: "", says: "No right.", remedy: "Grant it.", held: true },
    { ...met, code: "column_dropped", table: "tracks", column: "n", says: "Gone.", remedy: "Added again.", open: true },
  ];
  server.plane.answers["GET /v1/warehouse/drift"] = { status: 200, body: { changes } };
  const { page } = open(path);
  const box = (await screen.findByText("What others changed about tables of lake")).closest("details");
  if (!box) throw new Error("there is no box");
  act(() => {
    box.open = true;
    fireEvent(box, new Event("toggle"));
  });
  expect(await screen.findByText("Grant it.")).toBeTruthy();
  expect(screen.getByText("Its events wait")).toBeTruthy();
  expect(screen.getByText("Since the last load")).toBeTruthy();
  await expectAccessible(page);
});

test("how far a backfill is, and what it waits for", async () => {
  const server = started();
  server.plane.answers["GET /v1/loads"] = { status: 200, body: { loads: [load()], waiting: [] } };
  const tables = [
    { table: "tracks", state: "done", code: "" },
    { table: "pages", state: "failed", code: "load_schema" },
    { table: "users", state: "waiting", code: "" },
  ];
  const one = { id: "b1", from: "old", destination: "lake", state: "running", code: "loads_paused" };
  const body = { backfills: [{ ...one, created: new Date().toISOString(), copied: 24000, there: 7, tables }] };
  server.plane.answers["GET /v1/warehouse/backfills"] = { status: 200, body };
  const { page } = open(path);
  expect(await screen.findByText("Rows of old")).toBeTruthy();
  expect(screen.getByText(/24,000 copied, 7 were there, 2 of 3 tables/)).toBeTruthy();
  expect(screen.getByRole("progressbar", { name: "Tables of old that are copied" })).toBeTruthy();
  await expectAccessible(page);
});

test("every kind of warehouse of the catalogue has its place here", () => {
  const kinds = catalog.filter((k) => k.family === "warehouse").map((k) => k.name);
  expect([...warehouseTypes].sort()).toEqual(kinds.sort());
});
