import { screen, within } from "@testing-library/react";
import { expect, test } from "vitest";
import { expectAccessible, open, plane, Server, workspace } from "../../fake/server";

test("a write key is hidden until it is revealed, and copied whole", async () => {
  const server = new Server();
  server.config = {
    status: 200,
    body: {
      workspace: "acme",
      region: "eu",
      sources: [{ name: "web", type: "http", id: "src_one", writeKey: "wk_verysecret" }],
    },
    etag: '"4"',
  };
  server.show({ workspaces: [workspace()] });
  const { user, page } = open("/workspaces/acme/sources/web");
  await screen.findByRole("button", { name: "Reveal write key of web" });
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
  server.config = {
    status: 200,
    body: {
      workspace: "acme",
      region: "eu",
      sources: [{ name: "web", type: "http", id: "src_one", writeKey: "wk_verysecret" }],
    },
    etag: '"4"',
  };
  server.show({ workspaces: [workspace()] });
  const { user } = open("/workspaces/acme/sources/web");
  await user.click(await screen.findByRole("tab", { name: "curl" }));
  await user.keyboard("{ArrowRight}");
  expect(screen.getByRole("tab", { name: "Node" })).toBe(document.activeElement);
  expect(example().textContent).toContain('new Analytics({ host: "http://127.0.0.1:8090"');
  await user.click(screen.getByRole("tab", { name: "Browser" }));
  expect(example().textContent).toContain('apiHost: "127.0.0.1:8090/v1", protocol: "http"');
  await user.keyboard("{End}");
  expect(screen.getByRole("tab", { name: "Pixel" })).toBe(document.activeElement);
  expect(example().textContent).toContain("http://127.0.0.1:8090/pixel/v1/");
});

test("a webhook source shows its own address, and no SDK", async () => {
  const server = new Server();
  server.config = {
    status: 200,
    body: {
      workspace: "acme",
      region: "eu",
      sources: [{ name: "calls", type: "webhook", id: "src_calls", writeKey: "wk_calls" }],
    },
    etag: '"4"',
  };
  const calls = { id: "src_calls", name: "calls", type: "webhook", writeKey: "wk_calls", disabled: false };
  server.show({ workspaces: [workspace({ sources: [calls] })] });
  const { user } = open("/workspaces/acme/sources/calls");
  await user.click(await screen.findByRole("button", { name: "Reveal write key of calls" }));
  expect(
    within(screen.getByRole("tablist", { name: "Where to call calls" }))
      .getAllByRole("tab")
      .map((tab) => tab.textContent),
  ).toEqual(["Address", "curl"]);
  expect(example().textContent).toContain("http://127.0.0.1:8090/v1/webhook?writeKey=wk_calls");
});

/** The panel with the code to paste. */
function example(): HTMLElement {
  const [panel] = screen.getAllByRole("tabpanel").slice(-1);
  if (!panel) throw new Error("no code is shown");
  return panel;
}

test("checks say where the way to a source is broken, and why events were refused", async () => {
  const { server } = withSource("http");
  server.plane.answers["GET /v1/arrivals"] = {
    status: 200,
    body: {
      since: new Date(Date.now() - 3_600_000).toISOString(),
      sources: [
        {
          source: "web",
          received: 12,
          accepted: 2,
          refused: 10,
          reasons: { rate_limited: 3, request_too_large: 7 },
          lastAccepted: new Date(Date.now() - 300_000).toISOString(),
          lastRefused: new Date(Date.now() - 60_000).toISOString(),
        },
      ],
    },
  };
  const { user, page } = open("/workspaces/acme/sources/web");
  const refused = within(await screen.findByRole("list", { name: "Refused" }));
  const [first, second] = refused.getAllByRole("listitem").map((li) => li.textContent);
  expect(first).toMatch(/^7.*more than 4 MiB\. Send smaller batches\..*request_too_large$/);
  expect(second).toMatch(/^3.*Raise the rate/);
  const checks = within(screen.getByRole("list", { name: "Checks" }));
  for (const text of [/Revision 4 runs on eu-1/, /The last one was accepted/])
    expect(checks.getByText(text)).toBeTruthy();
  await user.click(screen.getByRole("button", { name: "Send a test event" }));
  expect(await screen.findByText(/Accepted and on the plane's disk/)).toBeTruthy();
  expect(server.received[0]).toMatchObject({
    call: "POST /v1/track",
    key: "wk_verysecret",
    body: { event: "Test event" },
  });
  server.gatewayAnswer = { status: 401, body: { success: false, error: { code: "bad_signature", message: "" } } };
  await user.click(screen.getByRole("button", { name: "Send a test event" }));
  expect(await screen.findByText(/Refused with 401 bad_signature/)).toBeTruthy();
  await expectAccessible(page);
});

test("a test event of a webhook goes to its address; a plane that does not answer shows the command", async () => {
  const { server } = withSource("webhook");
  server.plane.door = "down";
  const { user } = open("/workspaces/acme/sources/web");
  await user.click(await screen.findByRole("button", { name: "Send a test event" }));
  expect(await screen.findByText(/Accepted and on the plane's disk/)).toBeTruthy();
  expect(server.received[0]).toMatchObject({ call: "POST /v1/webhook", key: "wk_verysecret" });
  expect((await screen.findAllByText("weir source status web --workspace acme")).length).toBeGreaterThan(0);
});

function withSource(type: string): { server: Server } {
  const server = new Server();
  const source = { name: "web", type, id: "src_one", writeKey: "wk_verysecret" };
  server.config = { status: 200, body: { workspace: "acme", region: "eu", sources: [source] }, etag: '"4"' };
  server.show({ planes: [plane()], workspaces: [workspace({ sources: [{ ...source, disabled: false }] })] });
  return { server };
}
