import { cleanup, screen, within } from "@testing-library/react";
import { EditorView } from "codemirror";
import { beforeEach, expect, test } from "vitest";
import type { WorkspaceDocument } from "../../api/client";
import { expectAccessible, open, plane, refusal, Server, workspace } from "../../fake/server";

const path = "/workspaces/acme/transformations";

beforeEach(() => {
  Range.prototype.getClientRects = () => document.createElement("i").getClientRects(); // jsdom measures no text
});

const document_: WorkspaceDocument = {
  workspace: "acme",
  region: "eu",
  libraries: [{ name: "tools", language: "javascript", code: "export const one = 1;" }],
  transformations: [
    { id: "tf_one", name: "mask", language: "javascript", code: "export function transformEvent(e) {}" },
  ],
  connections: [
    { source: "web", destination: "hook", transformations: ["mask"] },
    { source: "web", destination: "lake", transformations: ["other"] },
  ],
};

function started(document: WorkspaceDocument = document_): Server {
  const server = new Server();
  server.show({ workspaces: [workspace()], planes: [plane()] });
  server.config = { status: 200, body: document, etag: '"4"' };
  return server;
}

/** Replaces the editor's text, once it is there. */
async function write(page: Element, text: string): Promise<void> {
  const find = () => [...page.querySelectorAll("*")].find((e) => e.shadowRoot)?.shadowRoot?.querySelector(".cm-editor");
  await expect.poll(find, { timeout: 15_000 }).toBeTruthy();
  const editor = find();
  const view = editor instanceof HTMLElement ? EditorView.findFromDOM(editor) : null;
  expect(view?.contentDOM.getAttribute("aria-label")).toMatch(/^Code of/);
  view?.dispatch({ changes: { from: 0, to: view.state.doc.length, insert: text } });
}

test("while it loads it says so", async () => {
  started().config = "never";
  open(path);
  expect(await screen.findByRole("status", { name: "Loading the transformations" })).toBeTruthy();
});

test("a failure shows cause and remedy", async () => {
  const server = started();
  server.config = refusal(503, "The database does not answer.");
  const { user } = open(path);
  expect((await screen.findByRole("alert")).textContent).toContain("The database does not answer.");
  server.config = { status: 200, body: document_, etag: '"4"' };
  await user.click(screen.getByRole("button", { name: "Try again now" }));
  expect(await screen.findByRole("list", { name: "Transformations" })).toBeTruthy();
});

const drafted = () => JSON.parse(localStorage.getItem("weir draft /acme") ?? "{}").edits;

test("the first one is written, attached and put into the draft, published nowhere", async () => {
  const bare = { workspace: "acme", region: "eu", connections: [{ source: "web", destination: "hook" }] };
  const server = started(bare);
  const { user, page } = open(path);
  await expectAccessible(page);
  await user.click(await screen.findByRole("button", { name: "Write the first one" }));
  expect(await screen.findByRole("button", { name: "Add to the draft" })).toHaveProperty("disabled", true);
  await user.type(screen.getByLabelText("Name"), "mask");
  await write(page, "export function transformEvent(e) { return e }");
  await user.click(screen.getByRole("checkbox", { name: "web → hook" }));
  await expectAccessible(page);
  await user.click(screen.getByRole("button", { name: "Add to the draft" }));
  expect(await screen.findByRole("link", { name: "Review" })).toBeTruthy();
  const made = { name: "mask", language: "javascript", code: "export function transformEvent(e) { return e }" };
  const connections = [{ source: "web", destination: "hook", transformations: ["mask"] }];
  expect(server.proposed.at(-1)?.document).toEqual({ ...bare, transformations: [made], connections });
  expect(drafted()).toEqual([
    { kind: "transformation", key: "mask", base: null, next: made },
    { kind: "connection", key: "web -> hook", base: bare.connections[0], next: connections[0] },
  ]);
  expect(server.applied).toEqual([]);
  await expect.poll(() => location.search).toBe("?name=mask");
});

test("it is detached where it ran, and the others stay", async () => {
  const server = started();
  const { user } = open(`${path}?name=mask`);
  await user.click(await screen.findByRole("checkbox", { name: "web → hook" }));
  await user.click(screen.getByRole("checkbox", { name: /web → lake/ }));
  await user.click(screen.getByRole("button", { name: "Add to the draft" }));
  await screen.findByRole("link", { name: "Review" });
  expect(server.proposed.at(-1)?.document.connections).toEqual([
    { source: "web", destination: "hook", transformations: [] },
    { source: "web", destination: "lake", transformations: ["other", "mask"] },
  ]);
});

test("it is renamed, and what runs it follows", async () => {
  const server = started();
  const { user } = open(`${path}?name=mask`);
  const name = await screen.findByLabelText("Name");
  await user.clear(name);
  await user.type(name, "hide{Control>}s{/Control}");
  await screen.findByRole("link", { name: "Review" });
  const { document } = server.proposed.at(-1) ?? {};
  expect(document?.transformations?.[0]).toMatchObject({ id: "tf_one", name: "hide", was: "mask" });
  expect(document?.connections?.[0]?.transformations).toEqual(["hide"]);
  expect(await screen.findByRole("region", { name: "Transformation hide" })).toBeTruthy();
});

test("a problem of the code is shown at its line and column, and nothing typed is lost", async () => {
  const server = started();
  const problem = { path: "transformations[0].code", code: "syntax_error", text: '2:5: Expected ";" but found "x".' };
  server.difference = { status: 200, body: { changes: [], problems: [problem], number: 4 } };
  const { user, page } = open(`${path}?name=mask`);
  await write(page, "let a x");
  await user.click(screen.getByRole("button", { name: "Add to the draft" }));
  expect((await screen.findByRole("alert")).textContent).toContain('Line 2, column 5: Expected ";" but found "x".');
  const find = () =>
    [...page.querySelectorAll("*")].find((e) => e.shadowRoot)?.shadowRoot?.querySelector(".cm-lint-marker");
  await expect.poll(find).toBeTruthy();
  expect(screen.getByRole("button", { name: "Add to the draft" })).toHaveProperty("disabled", false);
  expect(drafted()).toBeUndefined();
  await expectAccessible(page);
});

test("code that was left without adding it is offered again", async () => {
  started();
  const first = open(`${path}?name=mask`);
  await write(first.page, "// mine");
  cleanup();
  const { user, page } = open(`${path}?name=mask`);
  await user.click(await screen.findByRole("button", { name: "Bring it back" }));
  const text = () =>
    [...page.querySelectorAll("*")].find((e) => e.shadowRoot)?.shadowRoot?.querySelector(".cm-content")?.textContent;
  await expect.poll(text).toBe("// mine");
  expect(screen.queryByRole("button", { name: "Bring it back" })).toBeNull();
  expect(screen.getByRole("button", { name: "Add to the draft" })).toHaveProperty("disabled", false);
});

test("a former version comes back from the history", async () => {
  const server = started();
  const changes = [{ op: "change", kind: "transformation", name: "mask", fields: ["code"] }];
  const made = { number: 3, by: "person:ada@example.com", at: "2026-11-29T00:00:00Z", reason: "Hide phones", changes };
  server.revisions = { status: 200, body: { revisions: [made], next: "" } };
  server.others["GET /api/v1/workspaces/acme/revisions/3"] = {
    status: 200,
    body: { ...made, before: {}, after: { transformation: { tf_one: { name: "mask", code: "// former" } } } },
  };
  const { user, page } = open(`${path}?name=mask`);
  await user.click(await screen.findByRole("button", { name: "Versions" }));
  await user.click(await screen.findByRole("button", { name: /Revision 3/ }));
  expect((await screen.findByRole("region", { name: "Revision 3 against the editor" })).textContent).toContain(
    "// former",
  );
  await expectAccessible(page);
  await user.click(screen.getByRole("button", { name: "Put it into the editor" }));
  const text = () =>
    [...page.querySelectorAll("*")].find((e) => e.shadowRoot)?.shadowRoot?.querySelector(".cm-content")?.textContent;
  await expect.poll(text).toBe("// former");
});

test("it is removed once its name was typed, and told what passes where it runs", async () => {
  const server = started();
  server.plane.answers["GET /v1/ledger"] = {
    status: 200,
    body: { rows: [{ source: "web", destination: "hook", routed: 1200, dropped: {}, balanced: true }] },
  };
  const { user } = open(`${path}?name=mask`);
  await user.click(await screen.findByRole("button", { name: "Remove…" }));
  expect(await screen.findByText("1,200")).toBeTruthy();
  await user.type(screen.getByLabelText("Type mask to remove it"), "mask");
  await user.click(screen.getByRole("button", { name: "Remove" }));
  await screen.findByRole("link", { name: "Review" });
  expect(drafted()).toMatchObject([{ kind: "transformation", key: "mask", next: null }]);
});

test("a run shows outputs, drops, logs and errors of the sample", async () => {
  const server = started();
  server.plane.answers["POST /v1/preview/transformation"] = [
    { messageId: "a", events: [{ n: 1 }, { n: 2 }], logs: ["seen a"], error: null },
    { messageId: "b", events: [], logs: [], error: null },
    {
      messageId: "c",
      events: [],
      logs: [],
      error: { code: "transformation_failed", message: "mask:3:9: no such field" },
    },
  ]
    .map((l) => `${JSON.stringify(l)}\n`)
    .join("");
  const { user, page } = open(`${path}?name=mask`);
  const sample = await screen.findByLabelText("Sample events");
  await user.clear(sample);
  await user.click(sample);
  await user.paste('{"messageId":"a"}\n{"messageId":"b"}\n{"messageId":"c"}');
  await user.click(screen.getByRole("button", { name: "Run" }));
  const result = within(await screen.findByRole("region", { name: "Result" }));
  for (const text of ["2 events", "Dropped by the code", "Failed", "mask:3:9: no such field"])
    expect(result.getByText(text)).toBeTruthy();
  expect(result.getByRole("region", { name: "Log of a" }).textContent).toBe("seen a");
  expect(server.plane.bodies[0]).toEqual({
    code: "export function transformEvent(e) {}",
    libraries: [{ name: "tools", code: "export const one = 1;" }],
    events: [{ messageId: "a" }, { messageId: "b" }, { messageId: "c" }],
  });
  await expectAccessible(page);
});

test("a sample that is no JSON is not sent", async () => {
  const server = started();
  const { user } = open(`${path}?name=mask`);
  const sample = await screen.findByLabelText("Sample events");
  await user.clear(sample);
  await user.click(sample);
  await user.paste('{"a":1}\n{"b":');
  await user.click(screen.getByRole("button", { name: "Run" }));
  expect((await screen.findByRole("alert")).textContent).toContain("Event 2 of the sample is not JSON.");
  expect(server.plane.calls).toEqual([]);
});

test("the next live event becomes the sample", async () => {
  const server = started();
  const { user } = open(`${path}?name=mask`);
  await user.click(await screen.findByRole("button", { name: "Take the next live event" }));
  await screen.findByText("Waiting for the next event…");
  await expect.poll(() => server.plane.calls.length).toBe(1);
  server.plane.send({ stage: "gateway", outcome: "accepted", event: { messageId: "live-1" } });
  await screen.findByRole("button", { name: "Take the next live event" });
  expect(screen.getByLabelText("Sample events")).toHaveProperty("value", '{\n  "messageId": "live-1"\n}');
});

test("dead letters become the sample, and a run is a key away", async () => {
  const server = started();
  server.plane.answers["GET /v1/dead"] = {
    status: 200,
    body: { items: [{ event: { messageId: "d1" } }, { event: { messageId: "d2" } }], next: "" },
  };
  server.plane.answers["POST /v1/preview/transformation"] = "";
  const { user } = open(`${path}?name=mask`);
  await user.click(await screen.findByRole("button", { name: "Take dead letters" }));
  const sample = screen.getByLabelText("Sample events");
  await expect.poll(() => (sample as HTMLTextAreaElement).value).toBe('{"messageId":"d1"}\n{"messageId":"d2"}');
  await user.click(sample);
  await user.keyboard("{Meta>}{Enter}{/Meta}");
  await expect.poll(() => server.plane.bodies.length).toBe(1);
  expect(server.plane.bodies[0]).toMatchObject({ events: [{ messageId: "d1" }, { messageId: "d2" }] });
});

test("without the plane the terminal can run it", async () => {
  started().plane.door = "down";
  const { user } = open(`${path}?name=mask`);
  await user.click(await screen.findByRole("button", { name: "Run" }));
  expect((await screen.findByRole("alert")).textContent).toContain("Nothing answers at 127.0.0.1:8091");
  expect(screen.getByText("weir preview transform -f mask.js < events.jsonl")).toBeTruthy();
});
