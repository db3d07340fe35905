import { screen, waitFor, within } from "@testing-library/react";
import { expect, test } from "vitest";
import { answered, expectAccessible, open, plane, refusal, Server, workspace } from "../../fake/server";

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
  expect(screen.getByText("weir plane invite --region eu")).toBeTruthy();
  await expectAccessible(page);
});

test("an empty workspace says how to add a source and a destination", async () => {
  const server = new Server();
  server.show({ workspaces: [workspace({ sources: [], destinations: [] })], planes: [plane()] });
  const { page } = open();
  expect(await screen.findByText(/No source yet/)).toBeTruthy();
  expect(screen.getByText(/No destination yet/)).toBeTruthy();
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
  await screen.findByRole("heading", { name: "acme" });
  expect(screen.queryByRole("alert")).toBeNull();
});

test("everything there is to know is shown", async () => {
  const server = new Server();
  const long = new Date(Date.now() - 120_000).toISOString();
  server.show({
    planes: [
      plane({ id: "pl_two", name: "us-1", region: "us", healthy: false, lastBeat: null, workspaces: [] }),
      plane({
        alarms: [
          { code: "disk_low", count: 2 },
          { code: "destination_down", count: 1, objects: ["d2"], reason: "tls" },
        ],
        lastBeat: long,
      }),
    ],
    workspaces: [
      workspace({
        destinations: [
          { id: "d1", name: "hook", type: "webhook", disabled: false, parked: 0, dead: 0 },
          { id: "d2", name: "crm", type: "webhook", disabled: false, staged: 15, parked: 1200, dead: 3 },
          { id: "d3", name: "old", type: "webhook", disabled: true, parked: 0, dead: 0 },
        ],
      }),
    ],
  });
  const { page } = open();
  await screen.findByRole("heading", { name: "acme" });
  for (const text of [
    "Revision 4 is running",
    "Delivering",
    "1,200 waiting",
    "15 to be loaded",
    "3 failed for good",
    "Disabled",
    "2 min ago",
    "Not heard yet",
    "disk_low ×2",
  ]) {
    expect(screen.getByText(text)).toBeTruthy();
  }
  expect(page.textContent).toContain("crm: there is no trusted TLS connection to the destination.");
  const row = within(screen.getByRole("table", { name: "Revisions on eu-1" })).getByRole("row", { name: /acme/ });
  expect(
    within(row)
      .getAllByRole("cell")
      .map((c) => c.textContent),
  ).toEqual(["4", "4", "Applied"]);
  const names = screen.getAllByRole("heading", { level: 3 }).map((h) => h.textContent);
  expect(names.indexOf("eu-1")).toBeLessThan(names.indexOf("us-1")); // the workspace's own plane comes first
  await expectAccessible(page);
});

test("a write key is hidden until it is revealed, and copied whole", async () => {
  const server = new Server();
  server.show({ workspaces: [workspace()] });
  const { user, page } = open();
  await screen.findByRole("heading", { name: "web" });
  expect(page.textContent).not.toContain("wk_verysecret");
  await user.click(screen.getByRole("button", { name: "Copy curl example for web" }));
  expect(await navigator.clipboard.readText()).toContain("-u 'wk_verysecret:'");
  await user.click(screen.getByRole("button", { name: "Copy write key of web" }));
  expect(await navigator.clipboard.readText()).toBe("wk_verysecret");
  await user.click(screen.getByRole("button", { name: "Reveal write key of web" }));
  expect(screen.getByText("wk_verysecret")).toBeTruthy();
  await user.click(screen.getByRole("button", { name: "Hide write key of web" }));
  expect(page.textContent).not.toContain("wk_verysecret");
});

test("examples are reached by keyboard", async () => {
  const server = new Server();
  server.show({ workspaces: [workspace()] });
  const { user } = open();
  await user.click(await screen.findByRole("tab", { name: "curl" }));
  await user.keyboard("{ArrowRight}");
  expect(screen.getByRole("tab", { name: "Node" })).toBe(document.activeElement);
  expect(screen.getByRole("tabpanel").textContent).toContain('new Analytics({ host: "http://127.0.0.1:8090"');
  await user.click(screen.getByRole("tab", { name: "Browser" }));
  expect(screen.getByRole("tabpanel").textContent).toContain('apiHost: "127.0.0.1:8090/v1", protocol: "http"');
  await user.keyboard("{End}");
  expect(screen.getByRole("tab", { name: "Pixel" })).toBe(document.activeElement);
  expect(screen.getByRole("tabpanel").textContent).toContain("http://127.0.0.1:8090/pixel/v1/");
});

test("a webhook source shows its own address, and no SDK", async () => {
  const server = new Server();
  const calls = { id: "src_calls", name: "calls", type: "webhook", writeKey: "wk_calls", disabled: false };
  server.show({ workspaces: [workspace({ sources: [calls] })] });
  const { user } = open();
  await user.click(await screen.findByRole("button", { name: "Reveal write key of calls" }));
  expect((await screen.findAllByRole("tab")).map((tab) => tab.textContent)).toEqual(["Address", "curl"]);
  expect(screen.getByRole("tabpanel").textContent).toContain("http://127.0.0.1:8090/v1/webhook?writeKey=wk_calls");
});

test("a rejected revision shows every problem and what goes on", async () => {
  const server = new Server();
  const problems = [
    { path: "destinations[0].settings.url", code: "guard_host", text: "The plane's owner does not allow this host." },
  ];
  server.show({ planes: [plane()], workspaces: [workspace({ state: "rejected", running: 3, applied: 3, problems })] });
  open();
  const alert = await screen.findByRole("alert");
  expect(alert.textContent).toContain("eu-1 cannot run revision 4. Revision 3 goes on meanwhile.");
  expect(alert.textContent).toContain("destinations[0].settings.url: The plane's owner does not allow this host.");
  expect(alert.textContent).toContain("weir apply -f weir.yaml");
});

test("a revision on its way names the plane and when it was heard", async () => {
  const server = new Server();
  server.show({ planes: [plane({ lastBeat: null })], workspaces: [workspace({ state: "pending" })] });
  open();
  expect(await screen.findByText("Plane eu-1 has not answered yet; it has not been heard yet.")).toBeTruthy();
});

test("the workspace is in the address", async () => {
  const server = new Server();
  server.show({ workspaces: [workspace(), workspace({ id: "ws_two", name: "a b/ü", sources: [] })] });
  const { user } = open("/workspaces/acme");
  await user.click(await screen.findByRole("link", { name: "a b/ü" }));
  await screen.findByRole("heading", { level: 1, name: "a b/ü" });
  expect(location.pathname).toBe("/workspaces/a%20b%2F%C3%BC");
  expect(screen.getByRole("link", { name: "a b/ü" }).getAttribute("aria-current")).toBe("page");
  history.back();
  await screen.findByRole("heading", { level: 1, name: "acme" });
});

test("an address of no workspace says so", async () => {
  const server = new Server();
  server.show({ workspaces: [workspace()] });
  open("/workspaces/nope");
  expect(await screen.findByText("There is no workspace nope.")).toBeTruthy();
});

test("a plane that runs nothing is removed once it was asked for twice", async () => {
  const server = new Server();
  const two = plane({ id: "pl_two", name: "us-1", region: "us", lastBeat: null, workspaces: [] });
  server.show({ planes: [plane(), two], workspaces: [workspace()] });
  const { user, page } = open();
  expect(screen.queryByRole("button", { name: "Remove eu-1…" })).toBeNull();
  await user.click(await screen.findByRole("button", { name: "Remove us-1…" }));
  await expectAccessible(page);
  await user.click(screen.getByRole("button", { name: "Keep it" }));
  expect(server.calls).not.toContain("DELETE /api/v1/planes/pl_two");
  await user.click(screen.getByRole("button", { name: "Remove us-1…" }));
  server.show({ planes: [plane()], workspaces: [workspace()] });
  await user.click(screen.getByRole("button", { name: "Remove for good" }));
  await waitFor(() => expect(screen.queryByText("us-1")).toBeNull());
  expect(server.calls).toContain("DELETE /api/v1/planes/pl_two");
});

test("a removal that is refused says why", async () => {
  const server = new Server();
  server.removal = await answered(409, "Plane us-1 has workspaces: other.");
  const two = plane({ id: "pl_two", name: "us-1", region: "us", lastBeat: null, workspaces: [] });
  server.show({ planes: [two], workspaces: [] });
  const { user } = open();
  await user.click(await screen.findByRole("button", { name: "Remove us-1…" }));
  await user.click(screen.getByRole("button", { name: "Remove for good" }));
  expect((await screen.findByRole("alert")).textContent).toContain("has workspaces: other");
});

test("a destination is tested from its plane", async () => {
  const server = new Server();
  server.show({ workspaces: [workspace()], planes: [plane()] });
  const call = "POST /v1/destinations/test";
  server.plane.answers[call] = {
    status: 200,
    body: { ok: false, code: "sign_in_failed", detail: "It answered 401.", tried: "request", ms: 12 },
  };
  const { user, page } = open();
  const button = await screen.findByRole("button", { name: "Test the connection to hook" });
  await user.click(button);
  const alert = await screen.findByRole("alert");
  expect(alert.textContent).toContain("It answered 401.");
  expect(alert.textContent).toContain("Check its user, secrets");
  await expectAccessible(page);
  server.plane.answers[call] = { status: 200, body: { ok: true, code: "", detail: "", tried: "request", ms: 7 } };
  await user.click(button);
  expect(await screen.findByText("It accepts the plane's credentials. It took 7 ms.")).toBeTruthy();
  server.plane.answers[call] = { status: 200, body: { ok: true, code: "", detail: "", tried: "connection", ms: 7 } };
  await user.click(button);
  expect(await screen.findByText(/The plane reaches it.*Whether its credentials are right/)).toBeTruthy();
});
