import { screen, waitFor, within } from "@testing-library/react";
import { expect, test } from "vitest";
import { expectAccessible, open, refusal, Server, workspace } from "../../fake/server";
import { mayHere, rightsOn } from "./rights";

const since = "2026-01-02T03:04:05Z";
const ann = { id: "usr_ann", name: "ann@example.com", kind: "person", roles: [{ role: "owner" }], createdAt: since };
const ben = {
  id: "usr_ben",
  name: "ben@example.com",
  kind: "person",
  roles: [{ role: "viewer", workspace: "acme" }],
  createdAt: since,
};
const robot = {
  id: "svc_robot",
  name: "robot",
  kind: "service",
  roles: [
    { role: "editor", workspace: "acme", object: "dst_hook" },
    { role: "editor", workspace: "other" },
  ],
  createdAt: since,
};
const eve = {
  id: "usr_eve",
  name: "eve@example.com",
  kind: "person",
  roles: [{ role: "admin", workspace: "other" }],
  createdAt: since,
};
const roles = [
  { name: "owner", actions: ["workspace:read", "workspace:write", "change:approve"], fixed: true },
  { name: "editor", actions: ["workspace:read", "workspace:write", "capability:live:read"], fixed: true },
  { name: "viewer", actions: ["workspace:read"], fixed: true },
];

function site(members: unknown[] = [ann, ben, robot, eve]): Server {
  const server = new Server();
  server.config = {
    status: 200,
    body: {
      workspace: "acme",
      region: "eu",
      destinations: [{ name: "hook", type: "webhook", id: "dst_hook", settings: { url: "https://example.com" } }],
    },
    etag: '"4"',
  };
  server.show({ workspaces: [workspace()] });
  server.members = { status: 200, body: { members, next: "" } };
  server.others["GET /api/v1/roles"] = { status: 200, body: { roles, next: "" } };
  return server;
}

test("an object's page says who may do what with it, and why", async () => {
  site();
  const { page } = open("/workspaces/acme/destinations/hook?tab=access");
  const table = await screen.findByRole("table", { name: "Access" });
  await screen.findAllByText(/change it, approve changes/);
  const texts = within(table)
    .getAllByRole("row")
    .slice(1)
    .map((r) => r.textContent);
  expect(texts).toHaveLength(3);
  const may = "May read it, change it, approve changes";
  expect(texts[0]).toContain(`ann@example.comowner in the organization${may}`);
  expect(texts[1]).toContain("ben@example.comviewer in this workspaceMay read itread it");
  expect(texts[2]).toContain("editor on this destination aloneMay change itchange it");
  expect(texts.join()).not.toContain("eve");
  await expectAccessible(page);
});

test("a role on one object is given and taken away", async () => {
  const server = site();
  server.others["PUT /api/v1/members/usr_ben/role"] = { status: 204 };
  server.others["DELETE /api/v1/members/svc_robot"] = { status: 204 };
  const { user } = open("/workspaces/acme/destinations/hook?tab=access");
  await user.selectOptions(await screen.findByLabelText("Member"), "usr_ben");
  await user.click(screen.getByRole("button", { name: "Give the role" }));
  await waitFor(() =>
    expect(server.sent).toContainEqual({
      call: "PUT /api/v1/members/usr_ben/role",
      body: { role: "editor", workspace: "acme", object: "dst_hook" },
    }),
  );
  await user.click(screen.getByRole("button", { name: "Take away the role of robot on this destination" }));
  await waitFor(() => expect(server.calls).toContain("DELETE /api/v1/members/svc_robot"));
});

test("what refuses a role is said", async () => {
  const server = site();
  server.others["PUT /api/v1/members/usr_ben/role"] = refusal(403, "you do not have the role editor there yourself");
  const { user } = open("/workspaces/acme/destinations/hook?tab=access");
  await user.selectOptions(await screen.findByLabelText("Member"), "usr_ben");
  await user.click(screen.getByRole("button", { name: "Give the role" }));
  expect(await screen.findByText("You do not have the role editor there yourself.")).toBeTruthy();
});

test("without the right to see members the page says so", async () => {
  const server = site();
  server.members = refusal(403, "your role may not do this");
  open("/workspaces/acme/destinations/hook?tab=access");
  expect(await screen.findByText("You may not see who may do what here.")).toBeTruthy();
  expect(screen.queryByRole("button", { name: "Give the role" })).toBeNull();
});

test("only roles in the organization, the workspace and on the object count", () => {
  const members = [ann, ben, robot, eve] as Parameters<typeof rightsOn>[0];
  expect(rightsOn(members, "acme", "dst_other").map((r) => r.member.id)).toEqual(["usr_ann", "usr_ben"]);
  expect(rightsOn(members, "other", undefined).map((r) => r.member.id)).toEqual(["usr_ann", "svc_robot", "usr_eve"]);
  expect(mayHere([{ role: "unknown" }], roles)).toBe("read it");
});
