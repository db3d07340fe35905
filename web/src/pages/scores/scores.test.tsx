import { cleanup, screen, within } from "@testing-library/react";
import { expect, test } from "vitest";
import type { Score } from "../../api/profiles";
import { customers, drafted, withProfiles } from "../../fake/profiles";
import { expectAccessible, open, refusal } from "../../fake/server";

const path = "/workspaces/acme/scores";
const churn = { name: "churn", model: "logistic" as const, intercept: -1, weights: { open_tickets: 0.8 } };
const worth = { name: "worth", model: "table" as const, table: "tickets.priority" };
const numbers = { min: 0, max: 1, mean: 0.34, persons: [40, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 80] };
const preview = { persons: 120, known: 120, values: [], rows: [], lineage: [], sampled: false, numbers };

function withScores(...others: Score[]) {
  const server = withProfiles({
    profiles: [
      {
        ...customers,
        scores: [churn, worth, ...others],
        audiences: [{ name: "leaving", where: { churn: { atLeast: 0.7 } } }],
      },
    ],
  });
  const scores = [{ name: "churn", persons: 120, mean: 0.34, drift: 0.31, from: "2026-11-01T10:00:00Z" }];
  const last = { state: "published", startedAt: "2026-11-30T10:00:00Z", built: { user: { persons: 120, scores } } };
  server.plane.answers["GET /v1/profiles"] = {
    status: 200,
    body: { profiles: [{ name: "customers", running: false, waits: false, last }] },
  };
  const spreads = [
    { name: "churn", persons: 120, known: 120, numbers },
    { name: "worth", persons: 0, known: 0, numbers: null },
  ];
  server.plane.answers["POST /v1/profiles/scores"] = { status: 200, body: { scores: spreads } };
  server.plane.answers["POST /v1/profiles/preview"] = { status: 200, body: preview };
  return server;
}

test("without scores it says what they are", async () => {
  withProfiles();
  const { page } = open(path);
  expect(await screen.findByText("No score yet.")).toBeTruthy();
  await expectAccessible(page);
});

test("scores are told with kind, spread, drift in words and use, also while the plane does not answer", async () => {
  const server = withScores();
  server.plane.answers["POST /v1/profiles/scores"] = refusal(503, "The warehouse is away.");
  const { page, user } = open(path);
  expect(await screen.findByText("The warehouse is away.")).toBeTruthy();
  server.plane.answers["POST /v1/profiles/scores"] = {
    status: 200,
    body: { scores: [{ name: "churn", persons: 120, known: 120, numbers }] },
  };
  await user.click(screen.getByRole("button", { name: "Try again now" }));
  expect(await screen.findByRole("img", { name: "churn lies from 0 to 1, 0.34 in the mean" })).toBeTruthy();
  const row = within(screen.getByRole("row", { name: /churn/ }));
  expect(await row.findByText("Drifted")).toBeTruthy();
  expect(row.getByText("Weighed features")).toBeTruthy();
  expect(within(screen.getByRole("row", { name: /worth/ })).getByText("Not computed yet")).toBeTruthy();
  await expectAccessible(page);
});

test("a score tells what it is made from, how it drifted, and what uses it", async () => {
  withScores();
  const { page } = open(`${path}/churn`);
  expect(await screen.findByText(/no longer says what it said when it was made/)).toBeTruthy();
  expect(screen.getByText("120 of 120")).toBeTruthy();
  expect(screen.getByText("raises (+0.8)")).toBeTruthy();
  expect(screen.getByRole("link", { name: "the audience leaving" })).toBeTruthy();
  expect(await screen.findByText(/of 120 customers have it; the mean is 0.34/)).toBeTruthy();
  await expectAccessible(page);
});

test("a score is made from weights, previewed before it is saved, and goes into the draft", async () => {
  const server = withScores();
  const { page, user } = open(`${path}/new`);
  await user.type(await screen.findByLabelText("Name"), "risk");
  await user.click(screen.getByLabelText("Weighed features"));
  expect(screen.getByText("Choose each feature.")).toBeTruthy();
  await user.selectOptions(screen.getByLabelText("Feature 1"), "open_tickets");
  await user.type(screen.getByLabelText("Weight 1"), "0.5");
  const made = { name: "risk", model: "logistic", weights: { open_tickets: 0.5 } };
  await expect
    .poll(() => server.plane.bodies)
    .toContainEqual({
      profile: "customers",
      name: "risk",
      features: customers.features,
      scores: [churn, worth, made],
      audiences: [],
    });
  await expectAccessible(page);
  await user.click(screen.getByRole("button", { name: "Add to the draft" }));
  expect(await screen.findByRole("table", { name: "Scores" })).toBeTruthy();
  expect(drafted()[0].next.scores).toEqual([churn, worth, made]);
});

test("a trained model is read from a file, and what it gains from each feature is shown", async () => {
  const server = withScores();
  const { user } = open(`${path}/new`);
  await user.type(await screen.findByLabelText("Name"), "trained");
  await user.click(screen.getByLabelText("A trained model"));
  const text =
    "tree\nfeature_names=open_tickets email\n\nend of trees\n\nfeature_importances:\nemail=3\nopen_tickets=1\n\n";
  await user.upload(screen.getByLabelText("File of the model"), new File([text], "churn.txt"));
  expect(await screen.findByText(/There is a model of LightGBM/)).toBeTruthy();
  await user.click(screen.getByRole("button", { name: "Add to the draft" }));
  await user.click(await screen.findByRole("link", { name: "trained" }));
  expect(await screen.findByText("75%")).toBeTruthy();
  expect(server.plane.bodies.length).toBeGreaterThan(0);
});

test("what the control plane has against a score stands at it, and its name is no feature's", async () => {
  const server = withScores();
  server.difference = {
    status: 200,
    body: {
      changes: [],
      number: 4,
      problems: [{ path: "profiles[0].scores[2].sql", code: "unknown_feature", text: "There is no feature nothing." }],
    },
  };
  const { user } = open(`${path}/new`);
  await user.click(await screen.findByLabelText("A formula"));
  await user.type(screen.getByLabelText("Formula"), "nothing * 2");
  await user.type(screen.getByLabelText("Name"), "email");
  await user.click(screen.getByRole("button", { name: "Add to the draft" }));
  expect(await screen.findByText("There is one of this name already.")).toBeTruthy();
  await user.clear(screen.getByLabelText("Name"));
  await user.type(screen.getByLabelText("Name"), "x");
  await user.click(screen.getByRole("button", { name: "Add to the draft" }));
  expect(await screen.findByText("There is no feature nothing.")).toBeTruthy();
});

test("a score that the plane learns is told with how good it is, and made by a sentence", async () => {
  const leaves = {
    name: "leaves",
    model: "boosted" as const,
    among: { did: "events" },
    predict: { not: { did: "events", next: "30d" } },
    features: ["open_tickets"],
    gate: { auc: 0.65 },
  };
  const server = withScores(leaves);
  const live = { at: "2026-11-29T00:00:00Z", auc: 0.78, calibration: 0.031, persons: 900, came: 120, measured: 300 };
  const standing = { name: "leaves", persons: 120, mean: 0.2, live, last: { ...live, code: "score_held" } };
  server.plane.answers["GET /v1/profiles"] = {
    status: 200,
    body: {
      profiles: [
        {
          name: "customers",
          running: false,
          waits: false,
          last: {
            state: "published",
            startedAt: "2026-11-30T10:00:00Z",
            built: { user: { persons: 120, scores: [standing] } },
          },
        },
      ],
    },
  };
  const { page, user } = open(path);
  const row = within(await screen.findByRole("row", { name: /leaves/ }));
  expect(row.getByText("has no events in the next 30 days")).toBeTruthy();
  expect(await row.findByText("Fair")).toBeTruthy();
  await user.click(row.getByRole("link", { name: "leaves" }));
  expect(
    await screen.findByText(/puts the first higher in 78% of cases.*A newer model was not good enough/),
  ).toBeTruthy();
  await expectAccessible(page);
  await user.clear(screen.getByLabelText("In how many days"));
  await user.type(screen.getByLabelText("In how many days"), "60");
  await user.click(screen.getByRole("button", { name: "Add to the draft" }));
  await expect
    .poll(() => drafted()?.[0]?.next.scores[2])
    .toEqual({
      ...leaves,
      predict: { not: { did: "events", next: "60d" } },
    });
});

test("a score that nobody has says why, with how many examples there are and are needed", async () => {
  const leaves = { name: "leaves", model: "boosted" as const, predict: { did: "events", next: "30d" } };
  const server = withScores(leaves);
  const last = { at: "2026-11-29T00:00:00Z", auc: 0, calibration: 0, persons: 120, came: 8, measured: 40 };
  const standing = (code: string, change: object = {}) => ({
    name: "leaves",
    persons: 0,
    mean: 0,
    code,
    last: { ...last, code, ...change },
  });
  const answer = (score: object) => {
    const ran = {
      state: "published",
      startedAt: "2026-11-30T10:00:00Z",
      built: { user: { persons: 50, scores: [score] } },
    };
    server.plane.answers["GET /v1/profiles"] = {
      status: 200,
      body: { profiles: [{ name: "customers", running: false, waits: false, last: ran }] },
    };
  };
  answer(standing("score_unlearned"));
  const { page } = open(`${path}/leaves`);
  expect(await screen.findByText("Not learned yet: nobody has this score.")).toBeTruthy();
  expect(screen.getByText("120 of 200 needed")).toBeTruthy();
  expect(screen.getByText("8 of 20 needed")).toBeTruthy();
  expect(screen.queryByText("Mean")).toBeNull();
  await expectAccessible(page);
  answer(standing("score_held", { auc: 0.55, calibration: 0.2 }));
  cleanup();
  open(`${path}/leaves`);
  expect(await screen.findByText("Not good enough: nobody has this score.")).toBeTruthy();
  expect(
    screen.getByText(/in 55% of cases; 60% are needed.*off by 20 points in the mean, of 10 that are allowed/),
  ).toBeTruthy();
  expect(screen.queryByText("120 of 200 needed")).toBeNull();
});
