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

test("a build that is held says why, and is published when somebody asks", async () => {
  const server = withProfiles();
  const last = { state: "held", code: "largest", startedAt: "2026-11-30T02:00:00Z", identity: { user: measures } };
  server.plane.answers["GET /v1/profiles"] = built(last);
  server.plane.answers["POST /v1/profiles/publish"] = { status: 200, body: { ended: 1 } };
  const { page, user } = open(path);
  expect(await screen.findByText(/one customer would have more identifiers/)).toBeTruthy();
  const parts = within(screen.getByRole("region", { name: "Last build of user" }));
  for (const text of ["900", "300", "240"]) expect(parts.getByText(text)).toBeTruthy();
  await expectAccessible(page);
  await user.click(screen.getByRole("button", { name: /^Publish it anyway/ }));
  await expect.poll(() => server.plane.calls).toContain("POST /v1/profiles/publish");
});

test("a plane that does not answer says why, and the rules can be changed", async () => {
  const server = withProfiles();
  server.plane.answers["GET /v1/profiles"] = refusal(503, "The plane begins.");
  open(path);
  expect(await screen.findByText("The plane begins.")).toBeTruthy();
  expect(screen.getByLabelText("Identifier 1")).toBeTruthy();
});
