import { expect, test } from "vitest";
import catalog from "../../../shared/catalog/catalog.gen.json";
import vectors from "../../../shared/catalog/testdata/sentto.json";
import type { components } from "./schema.gen";
import { sentTo } from "./sent-to";

const specs = catalog as unknown as components["schemas"]["Spec"][];
const cases = vectors as unknown as { kind: string; settings: Record<string, unknown>; sentTo: string }[];

test.each(cases)("$kind sends secrets to $sentTo", ({ kind, settings, sentTo: want }) => {
  const spec = specs.find((s) => s.name === kind && s.family !== "source");
  expect(spec).toBeDefined();
  if (spec !== undefined) expect(sentTo(spec, settings)).toBe(want);
});
