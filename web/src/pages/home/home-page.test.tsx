import { screen, waitFor, within } from "@testing-library/react";
import { expect, test } from "vitest";
import { expectAccessible, open, plane, refusal, Server, workspace } from "../../fake/server";

test("while it loads it says so", async () => {
  const server = new Server();
  server.status = "never";
  const { page } = open();
  expect(await screen.findByRole("status", { name: "Loading the workspaces" })).toBeTruthy();
  await expectAccessible(page);
});

test("without workspaces and planes it says how to begin", async () => {
  new Server();
  const { page } = open();
  expect(await screen.findByText("There is no workspace yet.")).toBeTruthy();
  expect(screen.getByText("weir apply -f weir.yaml")).toBeTruthy();
  expect(screen.getByRole("link", { name: "Invite one" }).getAttribute("href")).toBe("/planes?invite=1");
  await expectAccessible(page);
});

test("a failure shows cause and remedy, and goes away when it is over", async () => {
  const server = new Server();
  server.status = refusal(503, "The database does not answer.");
  const { user, page } = open();
  const alert = await screen.findByRole("alert");
  expect(alert.textContent).toContain("The database does not answer.");
  expect(alert.textContent).toContain("control plane's log");
  await expectAccessible(page);
  server.show({ workspaces: [workspace()] });
  await user.click(within(alert).getByRole("button", { name: "Try again now" }));
  await screen.findByRole("heading", { level: 1, name: "acme" });
  expect(screen.queryByRole("alert")).toBeNull();
});

test("problems come first, each with its cause and the way to it", async () => {
  const server = new Server();
  const problems = [
    { path: "destinations[0].settings.url", code: "guard_host", text: "The plane's owner does not allow this host." },
  ];
  server.show({
    planes: [plane({ alarms: [{ code: "destination_down", count: 1, objects: ["d2"], reason: "tls" }] })],
    workspaces: [
      workspace({
        state: "rejected",
        running: 3,
        applied: 3,
        problems,
        destinations: [
          { id: "d1", name: "hook", type: "webhook", disabled: false, parked: 0, dead: 3 },
          { id: "d2", name: "crm", type: "webhook", disabled: false, parked: 1200, dead: 0 },
        ],
      }),
    ],
  });
  const { page } = open("/workspaces/acme");
  expect(await screen.findByText("eu-1 cannot run revision 4; revision 3 goes on")).toBeTruthy();
  expect(screen.getByText("The plane's owner does not allow this host.")).toBeTruthy();
  expect(screen.getByText("hook: 3 events failed for good")).toBeTruthy();
  expect(screen.getByRole("link", { name: "See why" }).getAttribute("href")).toBe(
    "/workspaces/acme/events?tab=problems&destination=hook",
  );
  expect(page.textContent).toContain("The last reason: there is no trusted TLS connection to the destination.");
  expect(screen.getByRole("link", { name: "Open crm" }).getAttribute("href")).toBe("/workspaces/acme/destinations/crm");
  await expectAccessible(page);
});

test("many problems do not hide what goes through: the first are shown, and the others on demand", async () => {
  const server = new Server();
  const waits = (n: number) => ({
    id: `d${n}`,
    name: `hook-${n}`,
    type: "webhook",
    disabled: false,
    parked: 9,
    dead: 0,
  });
  server.show({ planes: [plane()], workspaces: [workspace({ destinations: [1, 2, 3, 4, 5, 6, 7].map(waits) })] });
  const { page } = open("/workspaces/acme");
  expect(await screen.findByText("7 problems")).toBeTruthy();
  expect(screen.getByText("3 more problems").closest("details")?.open).toBe(false);
  expect(within(page).getAllByText(/^hook-\d: 9 events wait$/)).toHaveLength(7);
  await expectAccessible(page);
});

test("a new workspace shows three steps, which tick as they are done", async () => {
  const server = new Server();
  server.show({ planes: [plane()], workspaces: [workspace({ destinations: [] })] });
  const { page } = open("/workspaces/acme");
  expect(await screen.findByText("Waiting for the first event")).toBeTruthy();
  expect(page.textContent).not.toContain("wk_verysecret");
  server.plane.answers["GET /v1/ledger"] = { status: 200, body: { rows: [row({ accepted: 2, unrouted: 2 })] } };
  expect(await screen.findByText(/done. 2 came./)).toBeTruthy();
  expect(screen.getByRole("link", { name: "Choose one from the catalogue" })).toBeTruthy();
  const through = row({ destination: "hook", routed: 2, delivered: 2 });
  server.plane.answers["GET /v1/ledger"] = { status: 200, body: { rows: [row({ accepted: 4 }), through] } };
  await waitFor(() => expect(screen.queryByText(/Three steps/)).toBeNull());
  const stats = within(page)
    .getAllByRole("term")
    .map((t) => `${t.textContent} ${t.nextSibling?.textContent}`);
  expect(stats).toContain("Delivered 2");
  await expectAccessible(page);
});

test("the workspace is in the address, and the switcher finds it by its name", async () => {
  const server = new Server();
  server.show({ workspaces: [workspace(), workspace({ id: "ws_two", name: "shop-eu", sources: [] })] });
  const { user } = open("/workspaces/acme");
  await user.click(await screen.findByRole("button", { name: /Switch workspace/ }));
  await user.type(await screen.findByRole("combobox", { name: /Find a workspace/ }), "p-eu{Enter}");
  await screen.findByRole("heading", { level: 1, name: "shop-eu" });
  expect(location.pathname).toBe("/workspaces/shop-eu");
  history.back();
  await screen.findByRole("heading", { level: 1, name: "acme" });
});

test("Ctrl K finds objects and pages by name, and the arrow keys choose", async () => {
  const server = new Server();
  server.show({ planes: [plane()], workspaces: [workspace()] });
  const { user, page } = open("/workspaces/acme");
  await screen.findByRole("heading", { level: 1, name: "acme" });
  await user.keyboard("{Control>}k{/Control}");
  await user.type(screen.getByRole("combobox", { name: "Find a page or an object" }), "hook");
  expect(screen.getAllByRole("option")).toHaveLength(1);
  await expectAccessible(page);
  await user.keyboard("{Enter}");
  await screen.findByRole("heading", { level: 1, name: "hook" });
  expect(document.title).toMatch(/^hook · Destinations/);
});

test("an address of no workspace says so", async () => {
  const server = new Server();
  server.show({ workspaces: [workspace()] });
  open("/workspaces/nope");
  expect(await screen.findByText("There is no workspace nope.")).toBeTruthy();
});

test("an address of no page says so", async () => {
  const server = new Server();
  server.show({ workspaces: [workspace()] });
  open("/workspaces/acme/nonsense");
  expect(await screen.findByText("The address leads nowhere.")).toBeTruthy();
});

/** A row of the ledger. */
function row(r: Record<string, unknown>) {
  const counts = ["accepted", "replayed", "waiting", "duplicate", "quarantined", "routed", "unrouted", "added"];
  const others = ["delivered", "staged", "parked", "dead", "inFlight"];
  const zero = Object.fromEntries([...counts, ...others].map((c) => [c, 0]));
  return { source: "web", destination: "", dropped: {}, balanced: true, ...zero, ...r };
}
