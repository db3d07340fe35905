import { expect, test } from "vitest";
import type { WorkspaceDocument } from "../api/client";
import { type Edit, merge, withEdit } from "./edits";

const web = { name: "web", type: "http", id: "src_web" };
const hook = { name: "hook", type: "webhook", id: "dst_hook", settings: { url: "https://a.example", timeout: "5s" } };
const published: WorkspaceDocument = {
  workspace: "acme",
  region: "eu",
  sources: [web],
  destinations: [hook],
  connections: [{ source: "web", destination: "hook", transformations: ["mask"] }],
};

test("an edit that is undone by hand is no edit, and a new object that is removed again neither", () => {
  const changed = withEdit([], { kind: "source", key: "web", base: web, next: { ...web, disabled: true } });
  expect(changed).toHaveLength(1);
  expect(withEdit(changed, { kind: "source", key: "web", base: web, next: { ...web } })).toEqual([]);
  const made = withEdit([], { kind: "source", key: "shop", base: null, next: { name: "shop", type: "http" } });
  expect(withEdit(made, { kind: "source", key: "shop", base: null, next: null })).toEqual([]);
});

test("what others changed in other fields meanwhile stays, also below the settings", () => {
  const edits: Edit[] = [
    { kind: "destination", key: "hook", base: hook, next: { ...hook, settings: { ...hook.settings, timeout: "9s" } } },
  ];
  const theirs = { ...hook, disabled: true, settings: { ...hook.settings, url: "https://b.example" } };
  const { document, clashes } = merge({ ...published, destinations: [theirs] }, edits);
  expect(document.destinations).toEqual([
    { ...hook, disabled: true, settings: { url: "https://b.example", timeout: "9s" } },
  ]);
  expect(clashes).toEqual([]);
});

test("what both changed is told, and the own value goes", () => {
  const edits: Edit[] = [
    {
      kind: "destination",
      key: "hook",
      base: hook,
      next: { ...hook, settings: { ...hook.settings, url: "https://mine" } },
    },
  ];
  const theirs = { ...hook, settings: { ...hook.settings, url: "https://theirs" } };
  const { document, clashes } = merge({ ...published, destinations: [theirs] }, edits);
  expect(document.destinations?.[0]?.settings).toEqual({ url: "https://mine", timeout: "5s" });
  expect(clashes).toEqual([
    { kind: "destination", key: "hook", field: "settings.url", mine: "https://mine", theirs: "https://theirs" },
  ]);
});

test("connections follow what is renamed, and go with what is removed", () => {
  const renamed = merge(published, [{ kind: "source", key: "web", base: web, next: { ...web, name: "site" } }]);
  expect(renamed.document.sources).toEqual([{ ...web, name: "site", was: "web" }]);
  expect(renamed.document.connections?.[0]?.source).toBe("site");
  const removed = merge(published, [{ kind: "destination", key: "hook", base: hook, next: null }]);
  expect(removed.document.destinations).toEqual([]);
  expect(removed.document.connections).toEqual([]);
});

test("what somebody removed meanwhile is made again, and told", () => {
  const edits: Edit[] = [{ kind: "source", key: "web", base: web, next: { ...web, disabled: true } }];
  const { document, clashes } = merge({ ...published, sources: [] }, edits);
  expect(document.sources).toEqual([{ ...web, disabled: true }]);
  expect(clashes).toHaveLength(1);
});

test("two people who change two features of one profile do not meet, and of the same one they do", () => {
  const profile = (features: { name: string; count: string; last?: string }[]) => ({
    name: "customers",
    warehouse: "lake",
    entities: [],
    inputs: [],
    features,
  });
  const [a, b] = [
    { name: "a", count: "x" },
    { name: "b", count: "x" },
  ];
  const base = profile([a, b]);
  const next = profile([a, { ...b, last: "7d" }, { name: "mine", count: "x" }]);
  const theirs = profile([{ ...a, last: "1d" }, b, { name: "theirs", count: "x" }]);
  const edits: Edit[] = [{ kind: "profile", key: "customers", base, next }];
  const merged = merge({ ...published, profiles: [theirs] }, edits);
  expect(merged.clashes).toEqual([]);
  expect(merged.document.profiles?.[0]?.features).toEqual([
    { ...a, last: "1d" },
    { ...b, last: "7d" },
    { name: "theirs", count: "x" },
    { name: "mine", count: "x" },
  ]);
  const met = merge({ ...published, profiles: [profile([a, { ...b, last: "9d" }])] }, edits);
  expect(met.clashes.map((c) => c.field)).toEqual(["features.b"]);
});
