import { expect, test } from "vitest";
import type { Where } from "../../api/profiles";
import { conditionsOf, whereOf } from "./conditions";
import { whereText } from "./words";

const number = (name: string) => (name === "n" || name === "tickets" ? ("number" as const) : ("text" as const));

test("conditions of a configuration go through a form unchanged", () => {
  const all: Where[] = [
    { n: { atLeast: 2 }, status: "open" },
    { n: 3, status: ["open", "new"] },
    { status: { not: "open" }, mail: { known: true }, phone: { known: false } },
    { any: [{ n: { over: 1 } }, { did: "orders", last: "7d", times: 2, where: { product: { contains: "tea" } } }] },
    { n: { under: 9 }, not: { did: "events", where: { event: "login" }, last: "14d" } },
    { all: [{ n: { over: 1 } }, { n: { under: 5 } }] },
    { n: { over: 1, under: 5 }, any: [{ status: "a" }, { not: { status: "b" } }] },
    { any: [{ a: "1", b: "2" }, { status: { startsWith: "x" } }] },
  ];
  for (const where of all) expect(whereOf(conditionsOf(where), number)).toEqual(where);
});

test("two comparisons of one name are both kept", () => {
  const both = conditionsOf({ n: { over: 1 } });
  const more = conditionsOf({ n: { under: 5 } });
  const where = whereOf({ join: "all", rows: [...both.rows, ...more.rows] }, number);
  expect(where).toEqual({ all: [{ n: { over: 1 } }, { n: { under: 5 } }] });
});

test("conditions are said in words", () => {
  expect(
    whereText({ tickets_7d: { atLeast: 2 }, not: { did: "events", where: { event: "login" }, last: "14d" } }),
  ).toBe("tickets 7d is at least 2 and not (has events in the last 14 days where event is login)");
});
