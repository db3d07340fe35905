import { screen, within } from "@testing-library/react";
import { expect, test } from "vitest";
import { expectAccessible, open, plane, Server, workspace } from "../../fake/server";

const zero = {
  ...{ accepted: 0, replayed: 0, waiting: 0, duplicate: 0, quarantined: 0, routed: 0, unrouted: 0, added: 0 },
  ...{ delivered: 0, staged: 0, parked: 0, dead: 0, inFlight: 0, dropped: {}, balanced: true },
};

/** Forty sources of one kind, of which the last sends most, and one of another; all feed one destination. */
function crowded() {
  const server = new Server();
  server.show({ planes: [plane()], workspaces: [workspace()] });
  const names = Array.from({ length: 40 }, (_, i) => `site-${i}`);
  server.config = {
    status: 200,
    etag: '"4"',
    body: {
      workspace: "acme",
      region: "eu",
      sources: [...names.map((name) => ({ name, type: "http" })), { name: "hooks", type: "webhook" }],
      destinations: [{ name: "hook", type: "webhook", settings: {} }],
      connections: [...names, "hooks"].map((source) => ({ source, destination: "hook" })),
    },
  };
  const rows = [...names, "hooks"].flatMap((source, i) => [
    { ...zero, source, destination: "", accepted: i + 1 },
    { ...zero, source, destination: "hook", routed: i + 1, delivered: i + 1 },
  ]);
  server.plane.answers["GET /v1/ledger"] = { status: 200, body: { rows } };
}

test("more objects than a picture holds stand together by kind, as a picture and as a table", async () => {
  crowded();
  const { user, page } = open("/workspaces/acme");
  const group = await screen.findByRole("button", { name: /^HTTP/ });
  expect(group.getAttribute("aria-expanded")).toBe("false");
  expect(await screen.findByText(/^40 sources, 820/)).toBeTruthy();
  expect(screen.getByRole("link", { name: "hooks" }).getAttribute("href")).toBe("/workspaces/acme/sources/hooks");
  expect(page.querySelectorAll("svg path title").length).toBe(2);
  const table = page.querySelector("details table");
  const rows = within(table instanceof HTMLElement ? table : page).getAllByRole("row", { hidden: true });
  expect(rows.map((r) => r.textContent)).toEqual([
    "FromToConnectionsRateDeliveredErrors",
    expect.stringMatching(/^HTTP.*hook40 .*8200 %$/),
    expect.stringMatching(/^hookshook1 .*410 %$/),
  ]);
  await expectAccessible(page);
  await user.click(group);
  expect(new URLSearchParams(location.search).get("open")).toBe("source.http");
  expect(screen.getByRole("button", { name: /^HTTP/ }).getAttribute("aria-expanded")).toBe("true");
  expect(screen.getByRole("link", { name: "site-39" })).toBeTruthy();
  expect(screen.queryByRole("link", { name: "site-0" })).toBeNull();
  expect(screen.getByText(/^11 sources, 66/)).toBeTruthy();
  expect(screen.getByRole("link", { name: "Others" }).getAttribute("href")).toBe("/workspaces/acme/connections?q=http");
  await expectAccessible(page);
});
