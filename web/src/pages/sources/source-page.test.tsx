import { screen, within } from "@testing-library/react";
import { expect, test } from "vitest";
import { open, Server, workspace } from "../../fake/server";

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
