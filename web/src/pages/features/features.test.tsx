import { screen, within } from "@testing-library/react";
import { expect, test } from "vitest";
import { customers, drafted, withProfiles } from "../../fake/profiles";
import { expectAccessible, open, refusal } from "../../fake/server";

const path = "/workspaces/acme/features";
const preview = {
  persons: 120,
  known: 80,
  values: [
    { value: "0", persons: 40 },
    { value: "2", persons: 80 },
  ],
  rows: [{ weir_id: "user_7", value: "2" }],
  lineage: ["main.zendesk_tickets.status"],
  sampled: false,
  numbers: { min: 0, max: 2, mean: 1.3, persons: [40, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 80] },
};

test("without profiles it leads to identity", async () => {
  withProfiles({ profiles: [] });
  const { page } = open(path);
  expect(await screen.findByText("No profiles yet.")).toBeTruthy();
  await expectAccessible(page);
});

test("without features it says what they are", async () => {
  withProfiles({ profiles: [{ ...customers, features: [], audiences: [] }] });
  const { page } = open(path);
  expect(await screen.findByText("No feature yet.")).toBeTruthy();
  await expectAccessible(page);
});

test("features are sentences, with what uses them", async () => {
  withProfiles();
  const { page } = open(path);
  const table = within(await screen.findByRole("table", { name: "Features" }));
  expect(table.getByText("Count of tickets where status is open")).toBeTruthy();
  expect(table.getByText("Latest email of tickets")).toBeTruthy();
  const row = table.getByRole("row", { name: /open_tickets/ });
  expect(within(row).getByText("1")).toBeTruthy();
  await expectAccessible(page);
});

test("a feature is made by a sentence, previewed before it is saved, and goes into the draft", async () => {
  const server = withProfiles();
  server.plane.answers["POST /v1/profiles/preview"] = { status: 200, body: preview };
  const { page, user } = open(`${path}/new`);
  await user.selectOptions(await screen.findByLabelText("Of which rows"), "tickets");
  await user.selectOptions(screen.getByLabelText("How far back: days or ever"), "d");
  await user.click(screen.getByRole("button", { name: "Add a condition" }));
  await screen.findByRole("option", { name: "status" });
  await user.selectOptions(screen.getByLabelText("Condition 1: what"), "status");
  await user.type(screen.getByLabelText("Condition 1: value"), "open");
  expect(screen.getByText("Count of tickets in the last 7 days where status is open")).toBeTruthy();
  expect(screen.getByLabelText<HTMLInputElement>("Name").value).toBe("tickets_7d");
  const beside = within(screen.getByRole("region", { name: "Preview" }));
  expect(await beside.findByText(/of 120 customers have a value/)).toBeTruthy();
  expect(beside.getByRole("link", { name: "user_7" })).toBeTruthy();
  await expectAccessible(page);
  const made = { name: "tickets_7d", count: "tickets", where: { status: "open" }, last: "7d" };
  await expect
    .poll(() => server.plane.bodies)
    .toContainEqual({
      profile: "customers",
      name: "tickets_7d",
      features: [...customers.features, made],
      audiences: [],
    });
  await user.click(screen.getByRole("button", { name: "Add to the draft" }));
  expect(await screen.findByRole("link", { name: "Review" })).toBeTruthy();
  expect(await screen.findByRole("table", { name: "Features" })).toBeTruthy();
  expect(drafted()).toEqual([
    {
      kind: "profile",
      key: "customers",
      base: customers,
      next: { ...customers, features: [...customers.features, made] },
    },
  ]);
});

test("what the control plane has against a feature stands at it", async () => {
  const server = withProfiles();
  const at = "profiles[0].features[2]";
  server.difference = {
    status: 200,
    body: {
      changes: [],
      number: 4,
      problems: [
        { path: `${at}.name`, code: "bad_name", text: "This name is taken by a word of SQL." },
        { path: `${at}.where`, code: "bad_condition", text: "A text is no number." },
      ],
    },
  };
  const { user } = open(`${path}/new`);
  await screen.findByLabelText("Of which rows");
  await user.type(screen.getByLabelText("Name"), "x");
  await user.click(screen.getByRole("button", { name: "Add to the draft" }));
  expect(await screen.findByText("This name is taken by a word of SQL.")).toBeTruthy();
  expect(screen.getByText("A text is no number.")).toBeTruthy();
  expect(drafted()).toBeUndefined();
});

test("a preview that fails or is forbidden says why, and the form stays", async () => {
  const server = withProfiles();
  server.plane.answers["POST /v1/profiles/preview"] = refusal(503, "The profiles are being run; try again later.");
  const { user } = open(`${path}/open_tickets`);
  expect(await screen.findByText("The profiles are being run; try again later.")).toBeTruthy();
  server.plane.answers["POST /v1/profiles/preview"] = refusal(403, "Your role does not show profiles.");
  await user.click(screen.getByRole("button", { name: "Try again now" }));
  expect(await screen.findByText("You may not see previews.")).toBeTruthy();
  expect(screen.getByLabelText("Name")).toBeTruthy();
});

test("a feature that an audience uses is not removed", async () => {
  const server = withProfiles();
  server.plane.answers["POST /v1/profiles/preview"] = { status: 200, body: preview };
  const { user } = open(`${path}/open_tickets`);
  await user.click(await screen.findByRole("button", { name: "Remove…" }));
  const dialog = within(await screen.findByRole("dialog"));
  expect(dialog.getByText(/It is used by the audience in_trouble/)).toBeTruthy();
  expect(dialog.queryByRole("button", { name: "Remove" })).toBeNull();
});
