import { expect, test } from "vitest";
import type { Spec } from "../../api/tenants";
import { lacking, layoutOf, pathOf, problemOf } from "./layout";

const text = (name: string, more: object = {}) => ({ name, type: "string" as const, title: name, ...more });
const spec: Spec = {
  family: "warehouse",
  name: "lake",
  title: "Lake",
  doc: "A lake.",
  fields: [
    text("host", { required: true }),
    text("port"),
    text("webId"),
    text("appId"),
    text("clientId"),
    text("rate"),
  ],
  secrets: [text("clientSecret"), text("token"), text("sslKey")],
  form: {
    open: ["port"],
    choices: [
      { doc: "Give the one of the web, or of an app.", of: [["webId"], ["appId"]] },
      { doc: "Give a client, or a token.", of: [["clientId", "clientSecret"], ["token"]] },
    ],
  },
};
const layout = layoutOf(spec);

test("what one may leave out stands among more, but for what the form names", () => {
  expect(layout.open.map((f) => f.name)).toEqual(["host", "port"]);
  expect(layout.secrets).toEqual([]);
  expect(layout.more.map(pathOf)).toEqual(["rate", "secrets.sslKey"]);
  expect(layout.choices.map((c) => c.ways.map((w) => w.map(pathOf)))).toEqual([[["webId"], ["appId"]]]);
  expect(layout.sealed[0]?.ways.map((w) => w.map(pathOf))).toEqual([
    ["clientId", "secrets.clientSecret"],
    ["secrets.token"],
  ]);
});

test("one way of a choice is needed, whole", () => {
  const [settings, sealed] = [layout.choices[0], layout.sealed[0]];
  if (!settings || !sealed) throw new Error("the choices are not there");
  const given =
    (...paths: string[]) =>
    (p: Parameters<typeof pathOf>[0]) =>
      paths.includes(pathOf(p));
  expect(lacking(settings, given())).toEqual({ webId: "One of these is needed." });
  expect(lacking(settings, given("appId"))).toEqual({});
  expect(lacking(settings, given("webId", "appId"))).toEqual({ appId: "Give only one of them." });
  expect(lacking(sealed, given("clientId"))).toEqual({
    "secrets.clientSecret": "clientSecret is needed with what you gave beside it.",
  });
  expect(lacking(sealed, given("clientId", "secrets.token"))).toEqual({});
  expect(lacking({ ...settings, several: true }, given("webId", "appId"))).toEqual({});
  expect(lacking({ ...settings, unless: sealed.ways[1]?.[0] }, given("secrets.token"))).toEqual({});
});

test("a problem with a member of a value stands at the value, with the member", () => {
  const problems = { "tables.orders": "No such column.", "keep[1]": "Not a rule.", host: "Unknown." };
  expect(problemOf(problems, "tables")).toBe("orders: No such column.");
  expect(problemOf(problems, "keep")).toBe("Line 2: Not a rule.");
  expect(problemOf(problems, "host")).toBe("Unknown.");
  expect(problemOf(problems, "port")).toBeUndefined();
});
