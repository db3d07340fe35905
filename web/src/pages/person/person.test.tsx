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
