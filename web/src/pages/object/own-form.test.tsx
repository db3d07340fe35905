import { screen, waitFor, within } from "@testing-library/react";
import { EditorView } from "codemirror";
import { expect, test } from "vitest";
import catalog from "../../../../shared/catalog/catalog.gen.json";
import { expectAccessible, open, plane, refusal, Server, workspace } from "../../fake/server";
import { specMarks, specProblems } from "./own-spec";

const read = "POST /api/v1/catalog/custom";
const own = {
  family: "destination",
  name: "custom",
  title: "Your own (spec.yaml)",
  category: "generic",
  doc: "Yours.",
};
const crm = {
  family: "destination",
  name: "crm",
  title: "Our CRM",
  doc: "Ours.",
  private: true,
  base: { any: "https://crm.example" },
  fields: [{ name: "team", type: "string", title: "Team", doc: "Whose events they are.", required: true }],
};

function started(): Server {
  const server = new Server();
  server.show({ workspaces: [workspace()], planes: [plane()] });
  server.others["GET /api/v1/catalog"] = { status: 200, body: { kinds: [...catalog, own] } };
  server.others[read] = { status: 200, body: crm };
  return server;
}

/** Writes a text into the editor, as a person who selects everything before. */
async function write(page: HTMLElement, text: string): Promise<void> {
  const find = () => [...page.querySelectorAll("*")].find((e) => e.shadowRoot)?.shadowRoot?.querySelector(".cm-editor");
  await waitFor(() => expect(find()).toBeTruthy());
  const editor = find();
  const view = editor instanceof HTMLElement ? EditorView.findFromDOM(editor) : null;
  if (!view) throw new Error("there is no editor");
  view.dispatch({ changes: { from: 0, to: view.state.doc.length, insert: text } });
}

test("a destination of one's own is made of a spec, whose problems stand at their lines", async () => {
  const server = started();
  const { user, page } = open("/workspaces/acme/destinations/new");
  await user.click(await screen.findByRole("link", { name: /Your own \(spec\.yaml\)/ }));
  expect(await screen.findByText(/The spec of Our CRM is right. It reaches https:\/\/crm.example/)).toBeTruthy();
  expect(server.sent[0]?.body).toMatchObject({
    family: "destination",
    spec: expect.stringMatching(/^family: destination$/m),
  });
  await expectAccessible(page);

  server.others[read] = refusal(422, "The spec has problems:", [
    { path: "calls[0].way", code: "unknown", text: "line 2: There is no such word." },
  ]);
  await write(page, "name: crm\ncalls: [{ way: /x }]\n");
  const problems = within(await screen.findByRole("list", { name: "Problems of the spec" }));
  expect(problems.getByText(/calls\[0\]\.way: There is no such word\./).textContent).toMatch(/^Line 2, /);
  const go = screen.getByRole("button", { name: "Continue" });
  expect(go).toHaveProperty("disabled", true);
  expect(screen.getByText("The spec has to be right first.")).toBeTruthy();

  server.others[read] = { status: 200, body: crm };
  await write(page, "name: crm\n");
  await screen.findByText(/The spec of Our CRM is right/);
  await user.click(go);
  expect(await screen.findByText("Team is needed.")).toBeTruthy();
  await user.type(screen.getByLabelText("Team"), "blue");
  await user.click(go);
  expect(await screen.findByRole("button", { name: "Review and publish" })).toBeTruthy();
  expect(server.proposed.at(-1)?.document.destinations).toEqual([
    { name: "crm", type: "custom", spec: "name: crm\n", settings: { team: "blue" } },
  ]);
});

test("the spec of a destination is changed with what it no longer declares taken out, and it is previewed by its spec", async () => {
  const server = started();
  const settings = { team: "blue", former: "x" };
  server.config = {
    status: 200,
    etag: '"4"',
    body: {
      workspace: "acme",
      region: "eu",
      destinations: [{ name: "crm", type: "custom", id: "dst_crm", spec: "name: crm\n", settings }],
    },
  };
  const { user, page } = open("/workspaces/acme/destinations/crm?tab=settings");
  await screen.findByText(/The spec of Our CRM is right/);
  const add = await screen.findByRole("button", { name: "Add to the draft" });
  expect(add).toHaveProperty("disabled", true);
  await write(page, "name: crm\ntitle: CRM\n");
  await waitFor(() => expect(add).toHaveProperty("disabled", false));
  await user.click(add);
  await waitFor(() => expect(server.proposed).toHaveLength(1));
  expect(server.proposed[0]?.document.destinations).toEqual([
    { name: "crm", type: "custom", id: "dst_crm", spec: "name: crm\ntitle: CRM\n", settings: { team: "blue" } },
  ]);
  server.plane.answers["POST /v1/preview/destination"] = '{"messageId":"m1","requests":[],"dropped":"crm_nobody"}\n';
  await user.click(screen.getByRole("tab", { name: "Preview" }));
  await user.click(screen.getByRole("button", { name: "Preview" }));
  await screen.findByText(/^Nothing:/);
  expect(server.plane.bodies.at(-1)).toMatchObject({ type: "custom", spec: "name: crm\ntitle: CRM\n" });
});

test("problems are marked at the words that they are about", () => {
  const found = specProblems([
    { path: "calls[0].way", code: "unknown", text: "line 3: There is no such word." },
    { path: "", code: "malformed", text: "It is not readable." },
    { path: "calls[0].body", code: "required", text: "line 3: There is none." },
  ]);
  expect(found[1]).toEqual({ path: "", line: 0, text: "It is not readable." });
  expect(specMarks(found, "name: crm\ncalls:\n  - way: /x\n")).toEqual([
    { line: 3, column: 5, text: "calls[0].way: There is no such word." },
    { line: 1, column: 1, text: "It is not readable." },
    { line: 3, column: 5, text: "calls[0].body: There is none." },
  ]);
});
