import { screen, within } from "@testing-library/react";
import { expect, test } from "vitest";
import { withProfiles } from "../../fake/profiles";
import { expectAccessible, open, refusal } from "../../fake/server";
import { crossing, groups } from "./parting";

const at = "2026-11-28T10:00:00Z";
const link = (from: string, to: string) => ({ from, to, firstSeen: at, lastSeen: at });
const ann = {
  weirId: "user_17",
  traits: { open_tickets: 3, email: "ann@home.org", churn: null },
  asOf: at,
  identifiers: [
    { type: "user_id", value: "u1", firstSeen: at, lastSeen: at },
    { type: "email", value: "ann@home.org", firstSeen: at, lastSeen: at },
    { type: "email", value: "bob@home.org", firstSeen: at, lastSeen: at },
  ],
  links: [link("user_id:u1", "email:ann@home.org"), link("user_id:u1", "email:bob@home.org")],
  truncated: false,
  audiences: [{ name: "in_trouble", since: at }],
  events: [
    { input: "tickets", event: "", at },
    { input: "events", event: "login", at },
  ],
  past: [
    { kind: "minted", weirId: "user_17", ids: 2, at },
    { kind: "merged", weirId: "user_20", other: "user_17", ids: 1, at: null },
  ],
  decisions: [],
};
const path = "/workspaces/acme/customers/find";
const who = "#id=email%3Aann%40home.org";

test("a customer shows what is known, what happened, identifiers with why, and merges", async () => {
  const server = withProfiles();
  server.plane.answers["POST /v1/profiles/person"] = { status: 200, body: { person: ann } };
  const { page, user } = open(`${path}${who}`);
  expect(await screen.findByRole("heading", { level: 1, name: "ann@home.org" })).toBeTruthy();
  expect(server.plane.bodies).toContainEqual({ profile: "customers", entity: "user", a: "email:ann@home.org" });
  expect(screen.getByRole("link", { name: "in_trouble" })).toBeTruthy();
  expect(screen.getByText("not known")).toBeTruthy();
  await expectAccessible(page);
  await user.click(screen.getByRole("tab", { name: "Timeline" }));
  expect(screen.getByText("login")).toBeTruthy();
  await user.click(screen.getByRole("tab", { name: "History" }));
  expect(screen.getByText(/user_20 became part of this customer/)).toBeTruthy();
  await user.click(screen.getByRole("tab", { name: "Identifiers" }));
  expect(screen.getAllByText(/seen with user_id u1/)).toHaveLength(2);
  await expectAccessible(page);
});

test("two people are parted by their links, after what changes was shown", async () => {
  const server = withProfiles();
  server.plane.answers["POST /v1/profiles/person"] = { status: 200, body: { person: ann } };
  server.plane.answers["POST /v1/profiles/decide"] = { status: 200, body: { done: true } };
  server.plane.answers["POST /v1/profiles/run"] = { status: 200, body: { ended: 1 } };
  const { page, user } = open(`${path}?tab=identifiers${who}`);
  await user.click(await screen.findByRole("button", { name: "These are two people…" }));
  await user.click(screen.getByRole("checkbox", { name: "email:bob@home.org is another customer's" }));
  const change = within(screen.getByRole("region", { name: "What would change" }));
  expect(change.getByText(/One link no longer counts, and these become 2 customers/)).toBeTruthy();
  expect(change.getByText("user_id u1, email ann@home.org")).toBeTruthy();
  await expectAccessible(page);
  await user.click(change.getByRole("button", { name: "Make them two customers" }));
  expect(await screen.findByText(/It is decided/)).toBeTruthy();
  const unlink = { kind: "unlink", a: "user_id:u1", b: "email:bob@home.org" };
  expect(server.plane.bodies).toContainEqual({ profile: "customers", entity: "user", ...unlink });
  expect(server.plane.calls).toContain("POST /v1/profiles/run");
});

const hop = {
  ...link("user_id:u1", "email:ann@home.org"),
  events: [{ table: "main.identifies", event: "identify", id: "m-7", at, receivedAt: "2026-11-28T10:00:05Z" }],
  more: true,
};
const decided = {
  ...link("email:ann@home.org", "email:bob@home.org"),
  firstSeen: "0001-01-01T00:00:00Z",
  rule: { at },
};

test("why two identifiers are one person's is shown by the events that join them, once somebody asks", async () => {
  const server = withProfiles();
  server.plane.answers["POST /v1/profiles/person"] = { status: 200, body: { person: ann } };
  server.plane.answers["POST /v1/profiles/explain"] = {
    status: 200,
    body: { person: "user_17", other: "user_17", path: [hop, decided] },
  };
  const { page, user } = open(`${path}?tab=identifiers${who}`);
  const ask = await screen.findByRole("button", { name: "Why is this one person?" });
  expect(server.plane.calls).not.toContain("POST /v1/profiles/explain");
  await user.click(ask);
  const way = within(await screen.findByRole("list", { name: "The way between them" }));
  expect(server.plane.bodies.at(-1)).toEqual({
    profile: "customers",
    entity: "user",
    a: "user_id:u1",
    b: "email:bob@home.org",
  });
  expect(way.getByText("m-7", { selector: "code" })).toBeTruthy();
  expect(way.getByText("main.identifies")).toBeTruthy();
  expect(way.getByText(/These are the oldest/)).toBeTruthy();
  expect(way.getByText(/Somebody decided that they are one person's/)).toBeTruthy();
  const row = new URL(way.getByRole<HTMLAnchorElement>("link", { name: /Look at the row/ }).href);
  expect(row.search).toBe(""); // what names a row stays in the fragment, which no server gets
  expect(new URLSearchParams(row.hash.slice(1)).get("lake")).toBe("select * from main.identifies where id = 'm-7'");
  await expectAccessible(page);
  await user.click(screen.getByRole("button", { name: /^Show how\s+email:ann@home.org is/ }));
  await expect.poll(() => server.plane.bodies.at(-1)).toMatchObject({ a: "user_id:u1", b: "email:ann@home.org" });
});

test("links whose rows are gone, and two who are not one any more, are said", async () => {
  const server = withProfiles();
  server.plane.answers["POST /v1/profiles/person"] = { status: 200, body: { person: ann } };
  const bare = link("user_id:u1", "email:bob@home.org");
  const answer = { person: "user_17", other: "user_17", path: [bare] };
  server.plane.answers["POST /v1/profiles/explain"] = { status: 200, body: answer };
  const { user } = open(`${path}?tab=identifiers${who}`);
  await user.click(await screen.findByRole("button", { name: "Why is this one person?" }));
  expect(await screen.findByText(/The rows that showed it are gone/)).toBeTruthy();
  server.plane.answers["POST /v1/profiles/explain"] = { status: 200, body: { person: "user_17", other: "user_20" } };
  await user.selectOptions(screen.getByLabelText("To which identifier"), "email:ann@home.org");
  expect(await screen.findByText(/These are two customers now/)).toBeTruthy();
});

test("an identifier that is nobody's has its reason", async () => {
  const server = withProfiles();
  const reason = "This identifier of the type email is nobody's: it was seen with more than 3 user_id, its limit.";
  server.plane.answers["POST /v1/profiles/person"] = refusal(404, reason);
  open(`${path}${who}`);
  expect(await screen.findByText(reason)).toBeTruthy();
});

test("nobody, and what somebody may not see, are said", async () => {
  const server = withProfiles();
  server.plane.answers["POST /v1/profiles/person"] = refusal(404, "Nobody has this identifier of the type email.");
  const { page } = open(`${path}${who}`);
  expect(await screen.findByText("Nobody has this identifier.")).toBeTruthy();
  await expectAccessible(page);
});

test("a customer who is forbidden is not shown", async () => {
  const server = withProfiles();
  server.plane.answers["POST /v1/profiles/person"] = refusal(403, "Your role looks up nobody.");
  open(`${path}${who}`);
  expect(await screen.findByText("You may not see this customer.")).toBeTruthy();
});

test("a customer falls into the groups that no link joins", () => {
  const cut = crossing(ann.links, new Set(["email:bob@home.org"]));
  expect(groups(ann, cut)).toEqual([["user_id:u1", "email:ann@home.org"], ["email:bob@home.org"]]);
  expect(groups(ann, [])).toHaveLength(1);
});
