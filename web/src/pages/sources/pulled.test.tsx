import { screen, within } from "@testing-library/react";
import { expect, test } from "vitest";
import { expectAccessible, open, plane, Server, workspace } from "../../fake/server";

const at = "2026-11-30T02:00:00Z";
const desk = { id: "src_desk", name: "desk", type: "zendesk", settings: { subdomain: "acme", email: "a@x.org" } };
const stream = {
  source: "desk",
  stream: "tickets",
  type: "zendesk",
  state: "running",
  code: "",
  detail: "",
  rows: 1200,
  deleted: 3,
  deletes: "flag",
  from: "2026-01-01T00:00:00Z",
  at: "2026-06-01T00:00:00Z",
  to: "2026-11-30T00:00:00Z",
  done: 0.45,
  began: at,
  ended: at,
  next: at,
  fields: [],
};

function started(): Server {
  const server = new Server();
  server.show({ workspaces: [workspace()], planes: [plane()] });
  server.config = { status: 200, body: { workspace: "acme", region: "eu", sources: [desk] }, etag: '"4"' };
  server.plane.answers["GET /v1/pulls"] = { status: 200, body: { pulls: [stream] } };
  server.plane.answers["POST /v1/pulls"] = { status: 200, body: { pulls: [stream] } };
  return server;
}

test("a pulled source shows how far its streams are, and is paused and read again when asked", async () => {
  const server = started();
  const { page, user } = open("/workspaces/acme/sources/desk");
  const list = within(await screen.findByRole("list", { name: "Streams of desk" }));
  for (const text of ["tickets", "Running", "1,200", "45 %"]) expect(list.getAllByText(text)[0]).toBeTruthy();
  expect(list.getByRole("progressbar", { name: "How far tickets is" })).toBeTruthy();
  await expectAccessible(page);
  await user.click(list.getByRole("button", { name: "Pause tickets" }));
  await expect.poll(() => server.plane.bodies).toContainEqual({ verb: "pause", source: "desk", stream: "tickets" });
  await user.click(list.getByRole("button", { name: "Backfill… tickets" }));
  const dialog = within(await screen.findByRole("dialog"));
  await user.type(dialog.getByLabelText("Since"), "2026-02-01");
  await user.click(dialog.getByRole("button", { name: "Read again tickets" }));
  const body = { verb: "backfill", source: "desk", stream: "tickets", from: "2026-02-01T00:00:00Z" };
  await expect.poll(() => server.plane.bodies).toContainEqual(body);
});

test("a stream of changes says how far it is behind, and when its slot is lost", async () => {
  const server = started();
  const behind = {
    bytes: 5 * 1024 ** 2,
    seconds: 90,
    kept: 3 * 1024 ** 3,
    limit: 4 * 1024 ** 3,
    state: "extended",
    code: "source_slot_behind",
  };
  const pulls = [{ ...stream, stream: "replication", state: "waiting", done: null, behind }];
  server.plane.answers["GET /v1/pulls"] = { status: 200, body: { pulls } };
  const { page } = open("/workspaces/acme/sources/desk");
  expect(await screen.findByText("5.0 MiB, 90 s")).toBeTruthy();
  expect(screen.getByText("3.0 GiB of 4.0 GiB at most, extended")).toBeTruthy();
  expect(screen.getByText(/Changes have been waiting for long/)).toBeTruthy();
  await expectAccessible(page);
});

test("which streams are pulled and when goes into the draft", async () => {
  started();
  const { page, user } = open("/workspaces/acme/sources/desk?tab=settings");
  const part = within(await screen.findByRole("region", { name: "What is pulled" }));
  expect(part.getByLabelText("comments")).toHaveProperty("checked", false);
  await user.click(part.getByLabelText("organizations"));
  await user.selectOptions(part.getByLabelText("How often"), "every");
  await expectAccessible(page);
  expect(screen.getByRole("button", { name: "Add to the draft" })).toHaveProperty("disabled", false);
  await user.click(screen.getByRole("button", { name: "Add to the draft" }));
  expect(await screen.findByText("API token is needed.")).toBeTruthy();
});

test("the pull settings of a source with its secret set go into the draft", async () => {
  const server = started();
  const held = { ...desk, secrets: { token: { version: 1, fingerprint: "f" } } };
  server.config = { status: 200, body: { workspace: "acme", region: "eu", sources: [held] }, etag: '"4"' };
  const { user } = open("/workspaces/acme/sources/desk?tab=settings");
  const part = within(await screen.findByRole("region", { name: "What is pulled" }));
  await user.click(part.getByLabelText("organizations"));
  await user.selectOptions(part.getByLabelText("How often"), "every");
  await user.click(screen.getByRole("button", { name: "Add to the draft" }));
  expect(await screen.findByRole("link", { name: "Review" })).toBeTruthy();
  const { edits } = JSON.parse(localStorage.getItem("weir draft /acme") ?? "{}");
  expect(edits[0].next.pull).toEqual({ streams: ["tickets", "users"], every: "1h" });
});
