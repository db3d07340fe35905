import { screen, waitFor, within } from "@testing-library/react";
import { expect, test } from "vitest";
import { expectAccessible, open, plane, refusal, Server, workspace } from "../../fake/server";

const at = "/workspaces/acme/connections";
const document = {
  workspace: "acme",
  region: "eu",
  sources: [{ id: "src_one", name: "web", type: "http", writeKey: "wk_verysecret" }],
  destinations: [
    { id: "dst_one", name: "hook", type: "webhook", settings: {} },
    { id: "dst_two", name: "crm", type: "webhook", settings: {} },
  ],
  transformations: [{ name: "mask", language: "javascript", code: "" }],
  connections: [
    { source: "web", destination: "hook", transformations: ["mask"] },
    { source: "web", destination: "crm" },
  ],
};

/** A row of the ledger. */
function row(r: Record<string, unknown>) {
  const counts = ["accepted", "replayed", "waiting", "duplicate", "quarantined", "routed", "unrouted", "added"];
  const others = ["delivered", "staged", "parked", "dead", "inFlight"];
  const zero = Object.fromEntries([...counts, ...others].map((c) => [c, 0]));
  return { source: "web", destination: "", dropped: {}, balanced: true, ...zero, ...r };
}

function started(...rows: unknown[]): Server {
  const server = new Server();
  server.show({ planes: [plane()], workspaces: [workspace()] });
  server.config = { status: 200, body: document, etag: '"4"' };
  server.plane.answers["GET /v1/ledger"] = { status: 200, body: { rows } };
  return server;
}

const hourAgo = new Date(Date.now() - 3_700_000).toISOString();
const busy = [
  row({ destination: "hook", routed: 200, delivered: 150, dead: 50 }),
  row({ destination: "crm", routed: 10, parked: 10, waitingSince: hourAgo }),
];

test("connections are a picture, and a table with errors and what waits longest", async () => {
  started(...busy);
  const { user, page } = open(at);
  const table = await screen.findByRole("table", { name: "Connections" });
  await within(table).findByText("25.0 %");
  const cells = (name: string) =>
    within(within(table).getByRole("row", { name: new RegExp(`^web → ${name}`) }))
      .getAllByRole("cell")
      .map((c) => c.textContent);
  expect(cells("hook")).toEqual(["web → hook", "mask", "Failing", expect.any(String), "150", "25.0 %", "–"]);
  expect(cells("crm")).toEqual(["web → crm", "–", "Waiting", expect.any(String), "0", "0 %", "1 h"]);
  expect(page.querySelectorAll("svg path title").length).toBeGreaterThan(1);
  await user.click(within(table).getByRole("button", { name: "Oldest waiting" }));
  expect(within(table).getAllByRole("row")[2]?.textContent).toContain("web → crm");
  await expectAccessible(page);
});

test("without connections it says how to begin", async () => {
  const server = started();
  server.config = { status: 200, body: { ...document, connections: [] }, etag: '"4"' };
  const { page } = open(at);
  expect(await screen.findByText("Nothing is connected yet, so events go nowhere.")).toBeTruthy();
  await expectAccessible(page);
});

test("who may not see them is told so", async () => {
  const server = started();
  server.config = refusal(403, "Your role may not read the configuration.");
  const { page } = open(at);
  expect(await screen.findByText("You may not see the connections.")).toBeTruthy();
  await expectAccessible(page);
});

test("while its plane is away the connections are there without numbers", async () => {
  const server = started();
  server.plane.door = "down";
  const { page } = open(at);
  expect(await screen.findByText(/The plane does not say what goes through/)).toBeTruthy();
  expect(screen.getByRole("link", { name: "web → hook" })).toBeTruthy();
  await expectAccessible(page);
});

test("a connection shows its health, its events and what did not arrive of them", async () => {
  const server = started(...busy);
  const held = { place: "0/1/0", messageId: "m1", code: "rejected_400", detail: "", at: hourAgo, event: {} };
  server.plane.answers["GET /v1/dead"] = {
    status: 200,
    body: {
      items: [
        { ...held, source: "web", destination: "hook" },
        { ...held, place: "0/1/1", source: "other", destination: "hook" },
      ],
      next: "",
    },
  };
  const { user, page } = open(`${at}/web/hook`);
  await screen.findByText("25.0 %");
  await user.click(screen.getByRole("tab", { name: "Events" }));
  const problems = await screen.findByRole("list", { name: "Problems" });
  expect(within(problems).getAllByRole("listitem")).toHaveLength(1);
  expect(problems.textContent).toContain("1");
  expect(problems.textContent).not.toContain("2");
  await screen.findByText("Connected: events appear as they pass");
  expect(server.plane.calls).toContain("GET /v1/live?source=web&destination=hook");
  server.plane.answers["POST /v1/jobs/redrive"] = { status: 200, body: { chosen: 1 } };
  await user.click(within(problems).getByRole("button", { name: "Send again…" }));
  const dialog = await screen.findByRole("dialog");
  expect(await within(dialog).findByText(/of hook that came from web/)).toBeTruthy();
  server.plane.bodies.length = 0;
  await user.click(within(dialog).getByRole("button", { name: "Send again" }));
  const chosen = { destination: "hook", source: "web", code: "rejected_400", all: false, rate: 0 };
  await waitFor(() => expect(server.plane.bodies).toContainEqual(chosen));
  expect(screen.queryByLabelText("Source")).toBeNull();
  await expectAccessible(page);
});

test("a connection is ended in its settings, with what waits on it", async () => {
  started(...busy);
  const { user, page } = open(`${at}/web/crm?tab=settings`);
  expect((await screen.findByLabelText("the connection as YAML")).textContent).toContain("destination: crm");
  await user.click(screen.getByRole("button", { name: "Disconnect…" }));
  const dialog = await screen.findByRole("dialog");
  expect(await within(dialog).findByText(/^10 events that passed already wait for crm/)).toBeTruthy();
  await expectAccessible(page);
  await user.click(within(dialog).getByRole("button", { name: "Disconnect" }));
  expect(location.pathname).toBe(at);
  expect(screen.getByRole("region", { name: "Draft" }).textContent).toContain("1 change");
});
