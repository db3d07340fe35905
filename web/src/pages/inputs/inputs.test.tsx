import { screen, within } from "@testing-library/react";
import { expect, test } from "vitest";
import { customers, drafted, withProfiles } from "../../fake/profiles";
import { expectAccessible, open, refusal, type Server } from "../../fake/server";

const path = "/workspaces/acme/identity/inputs";
const columns: Record<string, Record<string, string>> = {
  identifies: { id: "varchar", user_id: "varchar", email: "varchar", uuid_ts: "timestamp" },
  desk_tickets: {
    id: "varchar",
    requester_id: "bigint",
    status: "varchar",
    created_at: "timestamp",
    uuid_ts: "timestamp",
  },
  desk_users: { id: "varchar", email: "varchar", created_at: "timestamp", uuid_ts: "timestamp" },
};
const lines = (rows: object[]) => `${rows.map((r) => JSON.stringify(r)).join("\n")}\n`;

/** A workspace whose warehouse has the tables of a pulled source. */
function withDesk(profile: object = customers): Server {
  const desk = { name: "desk", type: "zendesk", pull: { streams: ["tickets", "users", "calls"] } };
  const server = withProfiles({
    sources: [desk],
    connections: [{ source: "desk", destination: "lake" }],
    models: [{ name: "recent", warehouse: "lake", sql: "select 1", key: "id" }],
    profiles: [profile as typeof customers],
  });
  server.plane.answers["POST /v1/query"] = (body) => {
    const { sql } = body as { sql: string };
    if (sql.includes("information_schema"))
      return lines(
        Object.entries(columns).flatMap(([table_name, all]) =>
          Object.entries(all).map(([column_name, data_type]) => ({
            table_schema: "main",
            table_name,
            column_name,
            data_type,
          })),
        ),
      );
    if (sql.startsWith("select '")) return lines([{ c: "requester_id", t: "in desk_users.id", n: 10, hit: 10 }]);
    if (sql.startsWith("select count(*)"))
      return lines([{ n: 23, newest: "2026-11-28 10:00:00+00", named: 23, d0: 10 }]);
    return lines([{ id: "7", requester_id: 1107, status: "open", created_at: "2026-11-28T10:00:00Z", uuid_ts: null }]);
  };
  return server;
}

const tickets = {
  name: "tickets_2",
  from: "desk_tickets",
  at: "created_at",
  changed: "uuid_ts",
  ids: { desk_id: "requester_id" },
};
const users = {
  name: "desk_users",
  from: "desk_users",
  at: "created_at",
  changed: "uuid_ts",
  ids: { desk_id: "id", email: "email" },
};

test("inputs stand on the page Identity, with what they are made of and what uses them", async () => {
  withProfiles();
  const { page } = open("/workspaces/acme/identity");
  const row = within(await screen.findByRole("row", { name: /zendesk_tickets/ }));
  expect(row.getByRole("link", { name: "tickets" })).toBeTruthy();
  expect(row.getByRole("cell", { name: "2" })).toBeTruthy();
  await expectAccessible(page);
});

test("the rows of a pulled source are added by choosing them, with the table that says whose they are", async () => {
  const server = withDesk();
  server.plane.answers["POST /v1/profiles/rules"] = {
    status: 200,
    body: {
      sampled: [],
      before: { ids: 12, persons: 6, largest: 3, apart: {} },
      after: { ids: 22, persons: 10, largest: 4, apart: {} },
      ...{ moved: 0, gone: 0, joined: 0, parted: 0, held: [], largest: [], joins: [], parts: [], movers: [] },
    },
  };
  const { page, user } = open(`${path}/new`);
  const rows = await screen.findByLabelText("Which rows");
  expect(screen.getByText(/The model recent cannot be chosen/)).toBeTruthy();
  await screen.findByRole("option", { name: "desk: calls (no rows yet)" });
  await user.selectOptions(rows, "desk: tickets");
  const kind = await screen.findByLabelText<HTMLInputElement>("Name of the new kind of identifier in requester_id");
  expect(kind.value).toBe("desk_id");
  expect(screen.getByText("10 of 10 values are in desk_users.id")).toBeTruthy();
  expect(screen.getByLabelText<HTMLSelectElement>("When it was").value).toBe("created_at");
  expect(await screen.findByText("23 (100 %)")).toBeTruthy();
  await expectAccessible(page);
  const said = server.proposed.length;
  await user.click(screen.getByRole("button", { name: "Try it on real data" }));
  expect(await screen.findByText("6 → 10")).toBeTruthy();
  expect(server.plane.bodies.at(-1)).toMatchObject({ inputs: [...customers.inputs, tickets, users] });
  expect(server.proposed.length).toBe(said); // the control plane heard nothing of it
  await user.click(screen.getByRole("button", { name: "Add to the draft" }));
  expect(await screen.findByRole("heading", { level: 1, name: "Identity" })).toBeTruthy();
  const [{ next }] = drafted();
  expect(next.inputs).toEqual([...customers.inputs, tickets, users]);
  expect(next.entities[0].ids.at(-1)).toEqual({ name: "desk_id" });
  expect(next.features).toEqual(customers.features);
});

test("a new kind of identifier can be called otherwise, and the table beside it be left out", async () => {
  withDesk();
  const { user } = open(`${path}/new`);
  await screen.findByRole("option", { name: "desk: tickets" });
  await user.selectOptions(screen.getByLabelText("Which rows"), "desk: tickets");
  const kind = await screen.findByLabelText("Name of the new kind of identifier in requester_id");
  await user.clear(kind);
  await user.type(kind, "helper");
  await user.click(screen.getByRole("checkbox", { name: "Add desk_users as well" }));
  await user.clear(screen.getByLabelText("Name"));
  await user.click(screen.getByRole("button", { name: "Add to the draft" }));
  expect(await screen.findByText("Give it a name.")).toBeTruthy();
  await user.type(screen.getByLabelText("Name"), "asks");
  await user.click(screen.getByRole("button", { name: "Add to the draft" }));
  await screen.findByRole("heading", { level: 1, name: "Identity" });
  const [{ next }] = drafted();
  expect(next.inputs.slice(2)).toEqual([{ ...tickets, name: "asks", ids: { helper: "requester_id" } }]);
  expect(next.entities[0].ids.at(-1)).toEqual({ name: "helper" });
});

test("an input is changed as it was said, and what the control plane has against it stands at its field", async () => {
  const own = { name: "asks", from: "desk_tickets", at: "created_at", known: "at", ids: { user_id: "requester_id" } };
  const server = withDesk({ ...customers, inputs: [...customers.inputs, own] });
  const { user } = open(`${path}/asks`);
  const at = await screen.findByLabelText<HTMLSelectElement>("When it was");
  expect(await screen.findByRole("button", { name: "Add to the draft" })).toHaveProperty("disabled", true);
  await screen.findByRole("combobox", { name: "requester_id is" });
  await user.selectOptions(at, "uuid_ts");
  server.difference = {
    status: 200,
    body: {
      changes: [],
      number: 4,
      problems: [{ path: "profiles[0].inputs[2].at", code: "required", text: "No such time." }],
    },
  };
  await user.click(screen.getByRole("button", { name: "Add to the draft" }));
  expect(await screen.findByText("No such time.")).toBeTruthy();
  server.difference = { status: 200, body: { changes: [], number: 4, problems: [] } };
  await user.click(screen.getByRole("button", { name: "Add to the draft" }));
  await expect.poll(() => drafted()?.[0]?.next.inputs[2]).toEqual({ ...own, at: "uuid_ts" });
});

test("an input that features count is not removed, and keeps its name", async () => {
  withDesk();
  const { user } = open(`${path}/tickets`);
  expect(await screen.findByLabelText("Name")).toHaveProperty("disabled", true);
  await user.click(screen.getByRole("button", { name: "Remove…" }));
  const dialog = within(await screen.findByRole("dialog"));
  expect(dialog.getByText(/It is used by the feature open_tickets, the feature email/)).toBeTruthy();
  expect(dialog.queryByRole("button", { name: "Remove" })).toBeNull();
});

test("a plane that does not show its tables says why, and names can be typed", async () => {
  const server = withProfiles();
  server.plane.answers["POST /v1/query"] = refusal(403, "Your role asks no warehouse.");
  const { page, user } = open(`${path}/new`);
  await screen.findByText("You may not see the tables of the warehouse.");
  await user.selectOptions(screen.getByLabelText("Which rows"), "Something that is not there yet…");
  await user.type(screen.getByLabelText("Table"), "crm.homes");
  await user.type(screen.getByLabelText("When it was"), "moved_at");
  await user.type(screen.getByLabelText("Column of email (optional)"), "mail");
  await expectAccessible(page);
  await user.click(screen.getByRole("button", { name: "Add to the draft" }));
  await screen.findByRole("heading", { level: 1, name: "Identity" });
  const made = { name: "homes", from: "crm.homes", at: "moved_at", ids: { email: "mail" } };
  expect(drafted()[0].next.inputs).toEqual([...customers.inputs, made]);
});

test("rows that somebody wants to count and that are no input yet are added from there", async () => {
  const server = withDesk();
  server.plane.answers["POST /v1/profiles/preview"] = refusal(422, "There is no input.");
  const { page, user } = open("/workspaces/acme/features/new");
  await user.click(await screen.findByRole("link", { name: "Add a table as an input" }));
  await screen.findByRole("option", { name: "desk: tickets" });
  await user.selectOptions(screen.getByLabelText("Which rows"), "desk: tickets");
  await screen.findByLabelText("Name of the new kind of identifier in requester_id");
  await user.click(screen.getByRole("button", { name: "Add to the draft" }));
  expect(await screen.findByRole("heading", { level: 1, name: "New feature" })).toBeTruthy();
  expect(screen.getByLabelText<HTMLSelectElement>("Of which rows").value).toBe("tickets_2");
  expect(screen.getByText("tickets 2 is a draft.")).toBeTruthy();
  await expectAccessible(page);
});
