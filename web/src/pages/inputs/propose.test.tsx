import { expect, test } from "vitest";
import { customers } from "../../fake/profiles";
import type { Choice } from "./choices";
import { inputOf, missing, suggested } from "./form";
import { propose, targetsOf } from "./propose";

const text = (...names: string[]) => names.map((name) => ({ name, type: "varchar" }));
const time = (...names: string[]) => names.map((name) => ({ name, type: "timestamp with time zone" }));
const table = (name: string, columns: { name: string; type: string }[]): Choice => ({
  rows: `from:${name}`,
  title: name,
  group: "Pulled sources",
  source: "desk",
  table: { schema: "main", name, columns },
});
const tickets = table("desk_tickets", [...text("id", "requester_id", "status"), ...time("uuid_ts", "created_at")]);
const users = table("desk_users", [...text("id", "email"), ...time("uuid_ts", "updated_at")]);
const { entities } = customers;
const named = (t: { name: string }) => t.name;

test("columns are what their names and values say", () => {
  const rows = [
    { id: "1", mail_to: "ann@home.org", note: "x" },
    { id: "2", mail_to: "ben@home.org", note: "y" },
  ];
  const orders = table("desk_orders", [...text("id", "mail_to", "note"), ...time("created", "uuid_ts")]);
  const found = propose(orders, rows, entities, [], []);
  expect(found).toMatchObject({ at: "created", changed: "uuid_ts", row: "" });
  expect(found.ids).toEqual([{ type: "email", column: "mail_to" }]);
  expect(propose(orders, [{ mail_to: "no address" }], entities, [], []).ids).toEqual([]);
});

test("identifiers of a tool are joined to customers by the table that has addresses beside them", () => {
  const targets = targetsOf(tickets, [tickets, users], [], entities, [], named);
  expect(targets.map((t) => t.name)).toEqual(["in desk_users.id"]);
  const match = { column: "requester_id", target: "in desk_users.id", hit: 9, of: 10 };
  const found = propose(tickets, [], entities, targets, [match]);
  expect(found.ids).toEqual([{ type: "desk_id", column: "requester_id" }]);
  expect(found.beside?.input).toEqual({
    name: "desk_users",
    from: "desk_users",
    at: "updated_at",
    changed: "uuid_ts",
    ids: { desk_id: "id", email: "email" },
  });
  expect(propose(tickets, [], entities, targets, [{ ...match, hit: 4 }]).ids).toEqual([]);
});

test("identifiers that customers have already are met again", () => {
  const known = [{ schema: "profiles", name: "user_ids", columns: [] }];
  const targets = targetsOf(tickets, [tickets], known, entities, [], named);
  expect(targets.map((t) => t.name)).toEqual(["known as user_id", "known as email"]);
  const match = { column: "requester_id", target: "known as user_id", hit: 5, of: 8 };
  expect(propose(tickets, [], entities, targets, [match]).ids).toEqual([{ type: "user_id", column: "requester_id" }]);
});

test("an input says no more than it must", () => {
  const c = { at: "created_at", changed: "", known: "", row: "id", ids: [{ type: "email", column: "email" }] };
  const bare = { name: "t", from: "t", at: "created_at" };
  expect(inputOf("t", "from:t", c, ["user_id", "email"], ["id", "email"])).toEqual(bare);
  const both = inputOf("t", "from:t", c, ["user_id", "email"], ["id", "email", "user_id"]);
  expect(both).toEqual({ ...bare, ids: { email: "email" } }); // a column user_id that is none has to be left out by saying so
  const event = inputOf("o", "events:Order Completed", { ...c, known: "at" }, ["email"], undefined);
  expect(event).toEqual({ name: "o", events: "Order Completed", known: "at", ids: { email: "email" } });
});

test("names are proposed, and what is missing is said", () => {
  expect(suggested("from:desk_tickets", "desk", [])).toBe("tickets");
  expect(suggested("events:Order Completed", "", ["order_completed"])).toBe("order_completed_2");
  expect(suggested("events:*", "", [])).toBe("events");
  const c = { at: "", changed: "", known: "", row: "", ids: [], name: "t", rows: "from:t" };
  expect(Object.keys(missing(c, [], []))).toEqual(["at", "ids"]);
  expect(missing({ ...c, rows: "" }, [], [])).toEqual({ rows: "Choose the rows." });
});
