import { screen, within } from "@testing-library/react";
import { expect, test } from "vitest";
import { customers, drafted, withProfiles } from "../../fake/profiles";
import { expectAccessible, open, refusal } from "../../fake/server";

const path = "/workspaces/acme/identity";
const measures = { ids: 900, persons: 300, largest: 240, moved: 12, gone: 0, touched: 900 };

function built(last: object) {
  return { status: 200, body: { profiles: [{ name: "customers", running: false, waits: false, last }] } };
}

test("without profiles it begins them with usual rules, in a warehouse", async () => {
  const server = withProfiles({ profiles: [] });
  server.plane.answers["GET /v1/profiles"] = { status: 200, body: { profiles: [] } };
  const { page, user } = open(path);
  expect(await screen.findByText("No profiles yet.")).toBeTruthy();
  await expectAccessible(page);
  await user.click(screen.getByRole("button", { name: "Begin with these rules" }));
  expect(await screen.findByRole("heading", { name: "Last build" })).toBeTruthy();
  expect(drafted()[0].next.warehouse).toBe("lake");
  expect(await screen.findByText(/These profiles are a draft/)).toBeTruthy();
});

test("rules are changed in a form and go into the draft; what is wrong stands at its field", async () => {
  const server = withProfiles();
  server.plane.answers["GET /v1/profiles"] = { status: 200, body: { profiles: [] } };
  server.difference = {
    status: 200,
    body: {
      changes: [],
      number: 4,
      problems: [{ path: "profiles[0].entities[0].ids[1].expire", code: "bad_duration", text: "No such time." }],
    },
  };
  const { page, user } = open(path);
  await user.click(await screen.findByText(/Rules: compared as e-mail/));
  const [, second] = screen.getAllByLabelText(/^Forget a link after/);
  if (!second) throw new Error("there is no second identifier");
  await user.type(second, "400x");
  await user.click(screen.getByRole("button", { name: "Add to the draft" }));
  expect(await screen.findByText("No such time.")).toBeTruthy();
  expect(drafted()).toBeUndefined();
  await expectAccessible(page);
  server.difference = { status: 200, body: { changes: [], number: 4, problems: [] } };
  await user.clear(second);
  await user.type(second, "400d");
  await user.click(screen.getByRole("button", { name: "Add to the draft" }));
  expect(await screen.findByRole("link", { name: "Review" })).toBeTruthy();
  const [entity] = drafted()[0].next.entities;
  expect(entity.ids[1]).toEqual({ name: "email", clean: "email", limit: { user_id: 3 }, expire: "400d" });
  expect(drafted()[0].next.features).toEqual(customers.features);
});

test("changed rules are tried on real data before they are saved, straight from the plane", async () => {
  const server = withProfiles();
  server.plane.answers["GET /v1/profiles"] = { status: 200, body: { profiles: [] } };
  server.plane.answers["POST /v1/profiles/rules"] = {
    status: 200,
    body: {
      sampled: ["events"],
      before: { ids: 900, persons: 300, largest: 12, apart: { "more than 3 user_id": 4 } },
      after: { ids: 904, persons: 296, largest: 240, apart: {} },
      moved: 8,
      gone: 4,
      joined: 1,
      parted: 0,
      held: ["largest"],
      largest: [{ ids: 240, of: 5, examples: ["user_id:u1", "email:help@shop.org"] }],
      joins: [{ ids: 240, of: 5, examples: ["user_id:u1", "email:help@shop.org"] }],
      parts: [],
      movers: [{ id: "user_id:u2", from: "user_id:u2", with: "user_id:u1" }],
    },
  };
  const { page, user } = open(path);
  expect(await screen.findByLabelText("Identifier 1")).toBeTruthy();
  expect(screen.queryByRole("button", { name: "Try them on real data" })).toBeNull();
  const [one] = screen.getAllByLabelText(/^One customer has at most one/);
  if (!one) throw new Error("there is no rule to change");
  await user.click(one);
  const proposed = server.proposed.length;
  await user.click(screen.getByRole("button", { name: "Try them on real data" }));
  expect(await screen.findByText("A build with this would be held.")).toBeTruthy();
  for (const text of ["300 → 296", "12 → 240", "1 would be joined of several"])
    expect(screen.getByText(text)).toBeTruthy();
  expect(page.textContent).toContain("from user_id:u2 to user_id:u1");
  expect(server.plane.bodies.at(-1)).toMatchObject({ profile: "customers", entity: "user" });
  expect(server.proposed.length).toBe(proposed); // the control plane heard nothing of it
  await expectAccessible(page);
  await user.click(one);
  expect(screen.queryByRole("button", { name: /^Try/ })).toBeNull();
});

test("a build that is held says why, and is published when somebody asks", async () => {
  const server = withProfiles();
  const last = { state: "held", code: "largest", startedAt: "2026-11-30T02:00:00Z", identity: { user: measures } };
  server.plane.answers["GET /v1/profiles"] = built(last);
  server.plane.answers["POST /v1/profiles/publish"] = { status: 200, body: { ended: 1 } };
  const set = { ids: 240, of: 5, examples: ["user_id:u1"] };
  server.plane.answers["POST /v1/profiles/held"] = {
    status: 200,
    body: {
      held: {
        by: ["largest"],
        pairs: [{ a: "email:ann@home.org", b: "email:bo@home.org", said: "different" }],
        movers: [{ id: "user_id:u2", from: "user_id:u2", with: "" }],
        joins: [set],
        largest: [set, { ids: 230, of: 1, examples: ["user_id:u9"] }],
      },
    },
  };
  const { page, user } = open(path);
  expect(await screen.findByText(/one customer would have more identifiers/)).toBeTruthy();
  const parts = within(screen.getByRole("region", { name: "Last build of user" }));
  for (const text of ["900", "300", "240"]) expect(parts.getByText(text)).toBeTruthy();
  expect(server.plane.calls).not.toContain("POST /v1/profiles/held"); // nobody asked for identifiers
  await user.click(screen.getByRole("button", { name: "Show what it would change" }));
  const pairs = within(await screen.findByRole("list", { name: "Reviewed pairs that it would break" }));
  expect(pairs.getByText("email:ann@home.org")).toBeTruthy();
  expect(pairs.getByText(/Reviewed as two people/)).toBeTruthy();
  expect(screen.getByText("from user_id:u2 to nobody")).toBeTruthy();
  expect(screen.getByText("of 5 customers now")).toBeTruthy();
  const large = within(screen.getByRole("list", { name: "The largest then" }));
  expect(large.getAllByRole("listitem")).toHaveLength(1); // the other one is of several, and stands among those
  await expectAccessible(page);
  await user.click(screen.getByRole("button", { name: /^Publish it anyway/ }));
  await expect.poll(() => server.plane.calls).toContain("POST /v1/profiles/publish");
});

test("pairs are shown when somebody asks, and what is said of one goes to the plane", async () => {
  const server = withProfiles();
  server.plane.answers["GET /v1/profiles"] = built({
    state: "held",
    code: "reviewed",
    startedAt: "2026-11-30T02:00:00Z",
    identity: { user: { ...measures, reviewed: { pairs: 12, broken: 1, precision: 0.9, recall: 1 } } },
  });
  server.plane.answers["POST /v1/profiles/reviews"] = {
    status: 200,
    body: {
      reviews: {
        queue: [
          { a: "email:ann@home.org", b: "email:ann@work.org", one: true, alike: 2 },
          { a: "user_id:u1", b: "anonymous_id:a1", one: false, seen: "2026-11-29T02:00:00Z" },
        ],
        reviewed: [
          { a: "user_id:u1", b: "user_id:u2", one: true, said: "different", at: "2026-11-28T02:00:00Z" },
          { a: "user_id:u3", b: "email:cy@home.org", one: true, said: "same", at: "2026-11-28T02:00:00Z" },
        ],
        measures: { pairs: 2, broken: 1, precision: 0.5, recall: 1 },
      },
    },
  };
  server.plane.answers["POST /v1/profiles/decide"] = { status: 200, body: {} };
  const { page, user } = open(path);
  expect(await screen.findByText(/it breaks what people said of pairs/)).toBeTruthy();
  expect(screen.getByText("1 of 12")).toBeTruthy();
  expect(server.plane.calls).not.toContain("POST /v1/profiles/reviews");
  await user.click(screen.getByRole("button", { name: "Show pairs with their identifiers" }));
  const broken = within(await screen.findByRole("region", { name: "Broken now" }));
  expect(broken.getByText("u2")).toBeTruthy();
  const queue = within(screen.getByRole("region", { name: "Worth a look" }));
  expect(queue.getByText(/One customer now, who has 2 of this kind/)).toBeTruthy();
  expect(queue.getByText(/Two customers now, seen together/)).toBeTruthy();
  await expectAccessible(page);
  await user.click(queue.getByRole("button", { name: "Two people : email:ann@home.org and email:ann@work.org" }));
  await expect
    .poll(() => server.plane.bodies)
    .toContainEqual(expect.objectContaining({ kind: "different", a: "email:ann@home.org", b: "email:ann@work.org" }));
  await user.click(broken.getByRole("button", { name: /^Take back/ }));
  await expect
    .poll(() => server.plane.bodies)
    .toContainEqual(expect.objectContaining({ kind: "different", a: "user_id:u1", b: "user_id:u2", undo: true }));
});

test("a plane that does not answer says why, and the rules can be changed", async () => {
  const server = withProfiles();
  server.plane.answers["GET /v1/profiles"] = refusal(503, "The plane begins.");
  open(path);
  expect(await screen.findByText("The plane begins.")).toBeTruthy();
  expect(screen.getByLabelText("Identifier 1")).toBeTruthy();
});
