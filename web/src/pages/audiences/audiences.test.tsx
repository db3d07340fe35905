import { screen, within } from "@testing-library/react";
import { expect, test } from "vitest";
import { customers, drafted, withProfiles } from "../../fake/profiles";
import { expectAccessible, open, refusal } from "../../fake/server";

const path = "/workspaces/acme/audiences";
const preview = {
  persons: 200,
  known: 30,
  values: null,
  rows: [{ weir_id: "user_7", value: "true" }],
  lineage: ["main.zendesk_tickets"],
  sampled: false,
  parts: [40, 90],
};
const sizes = {
  audiences: [
    {
      name: "in_trouble",
      persons: 42,
      moves: [
        { at: "2026-11-29T10:00:00Z", entered: 45, left: 0, persons: 45 },
        { at: "2026-11-30T10:00:00Z", entered: 2, left: 5, persons: 42 },
      ],
    },
  ],
};

test("without audiences it says what they are", async () => {
  const server = withProfiles({ profiles: [{ ...customers, audiences: [] }] });
  server.plane.answers["POST /v1/profiles/sizes"] = { status: 200, body: { audiences: [] } };
  const { page } = open(path);
  expect(await screen.findByText("No audience yet.")).toBeTruthy();
  await expectAccessible(page);
});

test("audiences are conditions in words with their size, also while the plane does not tell it", async () => {
  const server = withProfiles();
  server.plane.answers["POST /v1/profiles/sizes"] = refusal(503, "The warehouse is away.");
  const { page, user } = open(path);
  expect(await screen.findByText("The warehouse is away.")).toBeTruthy();
  expect(screen.getByText("open tickets is at least 2")).toBeTruthy();
  server.plane.answers["POST /v1/profiles/sizes"] = { status: 200, body: sizes };
  await user.click(screen.getByRole("button", { name: "Try again now" }));
  expect(await screen.findByText("42")).toBeTruthy();
  await expectAccessible(page);
});

test("an audience is made of conditions, each with its size, and goes into the draft", async () => {
  const server = withProfiles();
  server.plane.answers["POST /v1/profiles/preview"] = { status: 200, body: preview };
  server.plane.answers["POST /v1/profiles/sizes"] = { status: 200, body: sizes };
  const { page, user } = open(`${path}/new`);
  await user.click(await screen.findByRole("button", { name: "What is known of them" }));
  await user.selectOptions(screen.getByLabelText("Condition 1: what"), "open_tickets");
  await user.type(screen.getByLabelText("Condition 1: value"), "2");
  await user.click(screen.getByRole("button", { name: "What they did, or did not do" }));
  await user.selectOptions(screen.getByLabelText("Condition 2: did or did not"), "not");
  await user.click(screen.getByRole("button", { name: "Add a detail to condition 2" }));
  await screen.findByRole("option", { name: "event" });
  await user.selectOptions(screen.getByLabelText("Condition 2, detail 1: what"), "event");
  await user.type(screen.getByLabelText("Condition 2, detail 1: value"), "login");
  await user.clear(screen.getByLabelText("Name"));
  await user.type(screen.getByLabelText("Name"), "at_risk");
  const where = {
    open_tickets: { atLeast: 2 },
    not: { did: "events", where: { event: "login" }, last: "30d" },
  };
  await expect
    .poll(() => server.plane.bodies)
    .toContainEqual({
      profile: "customers",
      name: "at_risk",
      features: customers.features,
      audiences: [{ name: "at_risk", where }],
      conditions: [{ open_tickets: { atLeast: 2 } }, { not: where.not }],
    });
  expect(await screen.findByText("40")).toBeTruthy();
  expect(screen.getByText("90")).toBeTruthy();
  const beside = within(screen.getByRole("region", { name: "Preview" }));
  expect(beside.getByText("30")).toBeTruthy();
  await expectAccessible(page);
  await user.click(screen.getByRole("button", { name: "Add to the draft" }));
  expect(await screen.findByRole("table", { name: "Audiences" })).toBeTruthy();
  expect(drafted()[0].next.audiences).toEqual([...customers.audiences, { name: "at_risk", where }]);
});

test("an audience without conditions is not saved", async () => {
  withProfiles();
  const { user } = open(`${path}/new`);
  await user.click(await screen.findByRole("button", { name: "Add to the draft" }));
  expect(await screen.findByRole("alert")).toBeTruthy();
  expect(drafted()).toBeUndefined();
});

test("the history of an audience's size is a line and numbers", async () => {
  const server = withProfiles();
  server.plane.answers["POST /v1/profiles/preview"] = { status: 200, body: preview };
  server.plane.answers["POST /v1/profiles/sizes"] = { status: 200, body: sizes };
  const { page, user } = open(`${path}/in_trouble`);
  await user.click(await screen.findByRole("tab", { name: "Size" }));
  expect(await screen.findByRole("img", { name: "From 45 to 42 customers" })).toBeTruthy();
  expect(screen.getByRole("table", { name: "Who came and left" })).toBeTruthy();
  await expectAccessible(page);
});

test("activating leads to a sync of the audience, whose model is drafted", async () => {
  const server = withProfiles();
  server.plane.answers["POST /v1/profiles/preview"] = { status: 200, body: preview };
  server.plane.answers["POST /v1/profiles/sizes"] = { status: 200, body: sizes };
  const { user } = open(`${path}/in_trouble`);
  await user.click(await screen.findByRole("button", { name: "Activate" }));
  expect(await screen.findByRole("heading", { level: 1, name: "New sync" })).toBeTruthy();
  expect(drafted()).toEqual([
    {
      kind: "model",
      key: "in_trouble",
      base: null,
      next: { name: "in_trouble", warehouse: "lake", key: "weir_id", audience: "in_trouble" },
    },
  ]);
});
