import { expect, test } from "vitest";
import catalog from "../../../shared/catalog/catalog.gen.json";
import own from "../../../shared/catalog/private/testdata/sentto.json";
import type { components } from "./schema.gen";
import { sentTo } from "./sent-to";

const specs = catalog as unknown as components["schemas"]["Spec"][];
type Vector = { settings: Record<string, unknown>; sentTo: string };
const files = import.meta.glob<{ default: Vector[] }>("../../../dataplane/*/*/testdata/sentto.json", { eager: true });
const cases = Object.entries(files).flatMap(([name, file]) =>
  file.default.map((v) => ({ ...v, kind: name.split("/").at(-3) ?? "" })),
);

test("kinds with secrets have examples of where they are sent", () => {
  expect(cases.length).toBeGreaterThan(
    specs.filter((s) => s.family !== "source" && (s.secrets ?? []).length > 0).length,
  );
});

test.each(cases)("$kind sends secrets to $sentTo", ({ kind, settings, sentTo: want }) => {
  const spec = specs.find((s) => s.name === kind && s.family !== "source");
  expect(spec).toBeDefined();
  if (spec !== undefined) expect(sentTo(spec, settings)).toBe(want);
});

test.each(own)("a spec of one's own sends secrets to $sentTo", ({ read, settings, sentTo: want }) => {
  expect(sentTo(read as unknown as components["schemas"]["Spec"], settings)).toBe(want);
});
