import { screen, waitFor, within } from "@testing-library/react";
import { expect, test } from "vitest";
import { answered, expectAccessible, open, plane, Server, workspace } from "../../fake/server";

test("a plane shows its health, its alarms and the revisions that it runs", async () => {
  const server = new Server();
  const long = new Date(Date.now() - 120_000).toISOString();
  server.show({
    planes: [
      plane({ id: "pl_two", name: "us-1", region: "us", healthy: false, lastBeat: null, workspaces: [] }),
      plane({
        alarms: [
          { code: "disk_low", count: 2 },
          { code: "destination_down", count: 1, objects: ["dst_one"], reason: "tls" },
        ],
        lastBeat: long,
      }),
    ],
    workspaces: [workspace()],
  });
  const { page } = open("/planes");
  for (const text of ["2 min ago", "Not heard yet", "disk_low ×2"]) expect(await screen.findByText(text)).toBeTruthy();
  expect(page.textContent).toContain("hook: there is no trusted TLS connection to the destination.");
  const row = within(screen.getByRole("table", { name: "Revisions on eu-1" })).getByRole("row", { name: /acme/ });
  expect(
    within(row)
      .getAllByRole("cell")
      .map((c) => c.textContent),
  ).toEqual(["4", "4", "Applied"]);
  await expectAccessible(page);
});

test("a card says how far the plane is behind, how full its disk is and since when it is connected", async () => {
  const server = new Server();
  const process = {
    at: new Date().toISOString(),
    lagFrames: 0,
    diskSize: 100e9,
    diskNeeded: 5e9,
    linked: new Date(Date.now() - 3 * 86_400_000).toISOString(),
  };
  server.show({
    planes: [
      plane({
        conditions: [
          { ...process, process: "a", lagMs: 0, diskFree: 60e9 },
          { ...process, process: "b", lagMs: 95_000, lagFrames: 7, diskFree: 25e9, diskLastsS: 4 * 3600 },
        ],
      }),
      plane({
        id: "pl_two",
        name: "us-1",
        alarms: [{ code: "plane_silent", count: 1 }],
        healthy: false,
        lastBeat: new Date(Date.now() - 130_000).toISOString(),
        conditions: [{ ...process, process: "c", lagMs: 0, diskFree: 1e9 }],
      }),
    ],
    workspaces: [workspace()],
  });
  const { page } = open("/planes");
  for (const text of ["2 min", "75 GB (75%)", "in 4 h", "3 days", "99 GB (99%)", "disk is full", "Silent for 2 min"])
    expect((await screen.findAllByText(text)).length).toBeGreaterThan(0);
  expect(page.textContent).toContain("The worst of its 2 processes");
  expect(page.textContent).toContain("has not heard it for a while");
  await expectAccessible(page);
});

test("a plane that runs nothing is removed once it was asked for twice", async () => {
  const server = new Server();
  const two = plane({ id: "pl_two", name: "us-1", region: "us", lastBeat: null, workspaces: [] });
  server.show({ planes: [plane(), two], workspaces: [workspace()] });
  const { user, page } = open("/planes");
  await user.click(await screen.findByRole("button", { name: "Remove us-1…" }));
  await expectAccessible(page);
  await user.click(screen.getByRole("button", { name: "Keep it" }));
  expect(server.calls).not.toContain("DELETE /api/v1/planes/pl_two");
  await user.click(screen.getByRole("button", { name: "Remove us-1…" }));
  server.left = { status: 200, body: { planes: [plane()], workspaces: [workspace()] } }; // not before: the page asks by itself too
  await user.click(screen.getByRole("button", { name: "Remove for good" }));
  await waitFor(() => expect(screen.queryByText("us-1")).toBeNull());
  expect(server.calls).toContain("DELETE /api/v1/planes/pl_two");
});

test("a removal that is refused says why", async () => {
  const server = new Server();
  server.removal = await answered(409, "Plane us-1 has workspaces: other.");
  const two = plane({ id: "pl_two", name: "us-1", region: "us", lastBeat: null, workspaces: [] });
  server.show({ planes: [two], workspaces: [] });
  const { user } = open("/planes");
  await user.click(await screen.findByRole("button", { name: "Remove us-1…" }));
  await user.click(screen.getByRole("button", { name: "Remove for good" }));
  expect((await screen.findByRole("alert")).textContent).toContain("has workspaces: other");
});
