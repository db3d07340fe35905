import { screen, within } from "@testing-library/react";
import { expect, test } from "vitest";
import type { Sighting } from "../../api/events";
import { expectAccessible, open, plane, refusal, Server, workspace } from "../../fake/server";

const path = "/workspaces/acme/live";

function started(): Server {
  const server = new Server();
  server.show({ workspaces: [workspace()], planes: [plane()] });
  return server;
}

function sighting(s: Partial<Sighting> = {}): Sighting {
  return {
    at: "2026-03-01T10:11:12.345Z",
    stage: "gateway",
    source: "web",
    destination: "",
    messageId: "m1",
    outcome: "accepted",
    code: "",
    event: { type: "track", event: "Order Completed", properties: { total: 12 } },
    ...s,
  };
}

const connected = () => screen.findByText("Connected: events appear as they pass");

test("while it connects it says so", async () => {
  const server = started();
  server.plane.answers["GET /v1/live"] = "never";
  const { page } = open(path);
  expect(await screen.findByText("Connecting to the plane…")).toBeTruthy();
  await expectAccessible(page);
});

test("while nothing passes it shows how to send an event", async () => {
  started();
  const { page } = open(path);
  await connected();
  expect(screen.getByText("No event has passed since this page was opened.")).toBeTruthy();
  expect(screen.getByText(/curl .*v1\/track/).textContent).not.toContain("wk_verysecret");
  await expectAccessible(page);
});

test("events appear as they pass, are counted, and open to their JSON", async () => {
  const server = started();
  const { user, page } = open(path);
  await connected();
  server.plane.send(
    sighting(),
    sighting({
      messageId: "m2",
      stage: "deliver",
      destination: "hook",
      outcome: "dead",
      code: "rejected_422",
      event: null,
    }),
    { missed: 7 },
  );
  const list = await screen.findByRole("list", { name: "Events that passed" });
  expect(within(list).getAllByRole("listitem")).toHaveLength(2);
  expect(within(list).getByText("the destination rejected it with status 422")).toBeTruthy();
  expect(screen.getByText("1 accepted")).toBeTruthy();
  expect(screen.getByText("1 dead")).toBeTruthy();
  expect(await screen.findByText("7 steps of events passed without being shown.")).toBeTruthy();
  await user.click(within(list).getByRole("button", { name: /Order Completed/ }));
  expect(screen.getByRole("region", { name: "Event m1" }).textContent).toContain('"total": 12');
  await user.click(within(list).getByRole("button", { name: /m2/ }));
  expect(screen.getByText("The event itself is not known at this stage.")).toBeTruthy();
  await expectAccessible(page);
});

test("while an event is open the list stays, and newer ones are counted", async () => {
  const server = started();
  const { user, page } = open(path);
  await connected();
  server.plane.send(
    sighting({ messageId: "m1" }),
    sighting({ messageId: "m2", event: { type: "track", event: "Paid" } }),
  );
  const list = await screen.findByRole("list", { name: "Events that passed" });
  await user.click(within(list).getByRole("button", { name: /Paid/ }));
  const later = { messageId: "m3", event: { type: "track", event: "Shipped" } };
  server.plane.send(
    sighting(later),
    sighting({ messageId: "m2", stage: "deliver", destination: "hook", outcome: "dead" }),
  );
  expect(await screen.findByText("1 newer event")).toBeTruthy();
  expect(within(list).queryByRole("button", { name: /Shipped/ })).toBeNull();
  expect(within(list).getByRole("button", { name: /Paid/ }).textContent).toContain("dead");
  await expectAccessible(page);
  await user.click(screen.getByRole("button", { name: "Show the newest" }));
  expect(within(list).getByRole("button", { name: /Shipped/ })).toBeTruthy();
  expect(screen.queryByText("1 newer event")).toBeNull();
});

test("an event has one row with how it stands, and opens to its way", async () => {
  const server = started();
  const { user, page } = open(path);
  await connected();
  const at = (ms: number) => `2026-03-01T10:11:12.${345 + ms}Z`;
  const event = { type: "track", event: "Paid", userId: "ada" };
  server.plane.send(
    sighting({ event }),
    sighting({ event, stage: "pipeline", outcome: "routed", at: at(2) }),
    sighting({ event, stage: "pipeline", outcome: "dropped", destination: "lake", code: "filtered", at: at(2) }),
    sighting({ event: { masked: true }, stage: "transform", outcome: "transformed", destination: "hook", at: at(9) }),
    sighting({
      event: null,
      stage: "deliver",
      outcome: "retrying",
      destination: "hook",
      code: "status_503",
      at: at(20),
    }),
    sighting({ event: null, stage: "deliver", outcome: "delivered", destination: "hook", at: at(120) }),
    sighting({
      messageId: "m1:2",
      event: null,
      stage: "deliver",
      outcome: "dead",
      destination: "crm",
      code: "rejected_422",
    }),
  );
  const list = await screen.findByRole("list", { name: "Events that passed" });
  expect(within(list).getAllByRole("listitem")).toHaveLength(1);
  const row = within(list).getByRole("button", { name: /Paid/ });
  for (const text of ["web · ada", "hook delivered120 ms", "lake dropped", "crm dead"])
    expect(row.textContent?.replaceAll(/\s+/g, "")).toContain(text.replaceAll(/\s+/g, ""));
  expect(row.textContent).not.toContain("accepted");
  await user.click(row);
  const way = within(screen.getByRole("list", { name: "The way of m1" })).getAllByRole("listitem");
  expect(way).toHaveLength(7);
  expect(way[6]?.textContent).toContain("+120 ms");
  expect(screen.getByRole("region", { name: "Event m1 for hook" }).textContent).toContain('"masked": true');
  await expectAccessible(page);
});

test("a search is the plane's, and stands in the part of the address that no server gets", async () => {
  const server = started();
  const { user } = open(path);
  await connected();
  await user.type(screen.getByLabelText("Message id, user or name"), "ada{Enter}");
  await expect.poll(() => location.hash).toBe("#search=ada");
  await connected();
  expect(server.plane.calls.at(-1)).toBe("GET /v1/live?search=ada");
});

test("the list is bounded, the counts are not", async () => {
  const server = started();
  open(path);
  await connected();
  server.plane.send(...Array.from({ length: 1700 }, (_, i) => sighting({ messageId: `m${i}`, event: null })));
  expect(await screen.findByText("1,700 accepted")).toBeTruthy();
  expect(within(screen.getByRole("list", { name: "Events that passed" })).getAllByRole("listitem")).toHaveLength(500);
  expect(screen.getByText("m1699")).toBeTruthy();
  expect(screen.queryByText("m1199")).toBeNull();
});

test("filters stand in the address and go to the plane", async () => {
  const server = started();
  const { user } = open(path);
  await connected();
  await user.selectOptions(screen.getByLabelText("Outcome"), "dead");
  expect(await screen.findByText("Nothing that fits these filters has passed yet.")).toBeTruthy();
  expect(location.search).toBe("?outcome=dead");
  await connected();
  expect(server.plane.calls.at(-1)).toBe("GET /v1/live?outcome=dead");
});

test("pausing ends the stream, going on opens another", async () => {
  const server = started();
  const { user } = open(path);
  await connected();
  await user.click(screen.getByRole("button", { name: "Pause" }));
  expect(screen.getByText("Paused: what passes now is not shown")).toBeTruthy();
  await user.click(screen.getByRole("button", { name: "Go on" }));
  await connected();
  expect(server.plane.calls).toHaveLength(2);
  expect(server.calls.filter((c) => c === "POST /api/v1/capabilities")).toHaveLength(1);
});

test("a stream that ends with its capability is followed by another", async () => {
  const server = started();
  open(path);
  await connected();
  server.plane.refuseOnce = true;
  server.plane.end();
  await expect.poll(() => server.plane.calls.length, { timeout: 15_000 }).toBe(3);
  await expect.poll(() => server.calls.filter((c) => c === "POST /api/v1/capabilities").length).toBe(2);
  server.plane.send(sighting());
  expect(await screen.findByText("1 accepted")).toBeTruthy();
});

test("a plane that stops says so", async () => {
  const server = started();
  const { user } = open(path);
  await connected();
  server.plane.send({ error: { code: "unavailable", message: "the plane stops" } });
  const alert = await screen.findByRole("alert");
  expect(alert.textContent).toContain("The plane stops.");
  await user.click(within(alert).getByRole("button", { name: "Try again now" }));
  await connected();
});

test.each([
  { door: "down" as const, words: "Nothing answers at 127.0.0.1:8091" },
  { door: "foreign" as const, words: `answers, but not to pages of ${location.origin}` },
])("a plane behind a door that is $door is explained, with the line to paste", async ({ door, words }) => {
  const server = started();
  server.plane.door = door;
  const { page } = open(`${path}?outcome=dead&source=web`);
  expect((await screen.findByRole("alert")).textContent).toContain(words);
  expect(screen.getByText("weir tail --workspace acme --source web --outcome dead")).toBeTruthy();
  await expectAccessible(page);
});

test("who may not look is told by whom it was refused", async () => {
  const server = started();
  server.capability = refusal(403, "Viewers may not see events.");
  open(path);
  const alert = await screen.findByRole("alert");
  expect(alert.textContent).toContain("Viewers may not see events.");
  expect(screen.queryByText(/weir tail/)).toBeNull();
});

test("what failed for good is listed with its reason, page by page", async () => {
  const server = started();
  const item = {
    ...sighting({ messageId: "m9", destination: "hook", code: "rejected_400" }),
    place: "0/7/1",
    status: 400,
  };
  server.plane.answers["GET /v1/dead"] = {
    status: 200,
    body: { items: [{ ...item, detail: "email is not valid" }], next: "c2" },
  };
  const { user, page } = open(path);
  await user.click(await screen.findByRole("tab", { name: "Failed for good" }));
  await user.click(await screen.findByRole("button", { name: /The destination rejected it with status 400/ }));
  expect(screen.getByText("email is not valid")).toBeTruthy();
  expect(screen.getByText("weir dlq redrive --workspace acme --destination hook --place 0/7/1")).toBeTruthy();
  await expectAccessible(page);
  server.plane.answers["GET /v1/dead"] = {
    status: 200,
    body: { items: [{ ...item, place: "0/8/1", detail: "" }], next: "" },
  };
  await user.click(screen.getByRole("button", { name: "Show more" }));
  await expect
    .poll(() => within(screen.getByRole("list", { name: "Events that are kept" })).getAllByRole("listitem").length)
    .toBe(2);
  expect(server.plane.calls.at(-1)).toBe("GET /v1/dead?limit=100&cursor=c2");
});

test("empty shelves say what would lie there", async () => {
  started();
  const { user, page } = open(path);
  await user.click(await screen.findByRole("tab", { name: "Waiting" }));
  expect(await screen.findByText("Nothing waits.")).toBeTruthy();
  await user.click(screen.getByRole("tab", { name: "Quarantined" }));
  expect(await screen.findByText("Nothing is in quarantine.")).toBeTruthy();
  await expectAccessible(page);
});
