import { screen, within } from "@testing-library/react";
import { expect, test } from "vitest";
import type { Job } from "../../api/jobs";
import { expectAccessible, open, plane, refusal, Server, workspace } from "../../fake/server";

const path = "/workspaces/acme/live";

function job(j: Partial<Job> = {}): Job {
  return {
    id: "job_a",
    kind: "redrive",
    state: "running",
    reason: "",
    source: "",
    destination: "hook",
    code: "",
    rate: 0,
    moved: 5000,
    total: 20000,
    created: new Date().toISOString(),
    ended: null,
    ...j,
  };
}

const held = { place: "0/1/0", source: "web", destination: "hook", messageId: "m", code: "x", detail: "", event: {} };

function started(jobs: Job[], items = 1): Server {
  const server = new Server();
  server.show({ workspaces: [workspace()], planes: [plane()] });
  const page = { items: items === 0 ? [] : [{ ...held, at: new Date().toISOString() }], next: "" };
  for (const shelf of ["dead", "quarantine"]) server.plane.answers[`GET /v1/${shelf}`] = { status: 200, body: page };
  server.plane.answers["GET /v1/jobs"] = { status: 200, body: { jobs } };
  return server;
}

test("what failed is sent again, at a rate, through today's code", async () => {
  const server = started([]);
  server.plane.answers["POST /v1/jobs/redrive"] = { status: 200, body: job() };
  const { user, page } = open(path);
  await user.click(await screen.findByRole("tab", { name: "Failed for good" }));
  await user.selectOptions(await screen.findByLabelText("Destination"), "hook");
  await user.type(await screen.findByLabelText("Events a second"), "500");
  await user.click(screen.getByLabelText("Through today's transformations"));
  server.plane.answers["GET /v1/jobs"] = { status: 200, body: { jobs: [job({ rate: 500 })] } };
  await user.click(screen.getByRole("button", { name: "Send all again" }));
  expect(await screen.findByText("5,000 of 20,000, 500 a second")).toBeTruthy();
  expect(screen.getByRole("progressbar").getAttribute("aria-valuenow")).toBe("25");
  expect(server.plane.bodies).toEqual([{ destination: "hook", all: true, rate: 500, retransform: true }]);
  await expectAccessible(page);
});

test("what is in quarantine is replayed, and discarded only after a second word", async () => {
  const server = started([]);
  server.plane.answers["POST /v1/jobs/replay"] = refusal(409, "replay job_b is about the same events and runs.");
  const { user, page } = open(path);
  await user.click(await screen.findByRole("tab", { name: "Quarantined" }));
  await user.click(await screen.findByRole("button", { name: "Replay all" }));
  expect((await screen.findByRole("alert")).textContent).toContain("job_b is about the same events");
  await user.click(screen.getByRole("button", { name: "Discard all…" }));
  expect(screen.getByText("Discard every event in quarantine? They cannot be brought back.")).toBeTruthy();
  await user.click(screen.getByRole("button", { name: "Keep them" }));
  expect(server.plane.bodies).toHaveLength(1);
  await user.click(screen.getByRole("button", { name: "Discard all…" }));
  server.plane.answers["POST /v1/jobs/discard-quarantined"] = {
    status: 200,
    body: job({ kind: "discard_quarantined" }),
  };
  await user.click(screen.getByRole("button", { name: "Discard for good" }));
  await expect.poll(() => server.plane.bodies.at(-1)).toEqual({ all: true, rate: 0 });
  await expectAccessible(page);
});

test("a job that runs is stopped, one that ended says how", async () => {
  const before = [1, 2, 3, 4].map((n) => job({ id: `job_${n}`, state: "done", moved: n, total: n }));
  const failed = job({
    id: "job_f",
    kind: "discard",
    state: "failed",
    moved: 7,
    total: null,
    reason: "Its log says why.",
  });
  const server = started(
    [job({ reason: "Too many deliveries are parked." }), failed, job({ kind: "replay", id: "job_r" }), ...before],
    0,
  );
  const { user, page } = open(path);
  await user.click(await screen.findByRole("tab", { name: "Failed for good" }));
  const list = await screen.findByRole("list", { name: "Jobs" });
  expect(within(list).getAllByRole("listitem")).toHaveLength(4);
  expect(within(list).getByText("Too many deliveries are parked.")).toBeTruthy();
  expect(within(list).getByText("Its log says why.")).toBeTruthy();
  expect(screen.queryByRole("button", { name: "Send all again" })).toBeNull();
  await user.click(screen.getByRole("button", { name: "Show all 5 that ended" }));
  expect(within(list).getAllByRole("listitem")).toHaveLength(6);
  const stopped = job({ state: "stopped", ended: new Date().toISOString() });
  server.plane.answers["POST /v1/jobs/job_a/stop"] = { status: 200, body: stopped };
  server.plane.answers["GET /v1/jobs"] = { status: 200, body: { jobs: [stopped] } };
  await user.click(within(list).getByRole("button", { name: "Stop job_a" }));
  expect(await screen.findByText("Stopped")).toBeTruthy();
  expect(screen.queryByRole("progressbar")).toBeNull();
  await expectAccessible(page);
});
