import { expect, test } from "vitest";
import { bytes, span } from "./amount";

test("bytes stand in the unit that fits", () => {
  expect([0, 999, 1000, 38_240_000_000, 999_600, 2e15].map(bytes)).toEqual([
    "0 B",
    "999 B",
    "1 kB",
    "38.2 GB",
    "1 MB",
    "2 PB",
  ]);
});

test("times stand in the unit that fits", () => {
  expect([40, 12_300, 600_000, 4 * 3_600_000, 5 * 86_400_000].map(span)).toEqual([
    "40 ms",
    "12 s",
    "10 min",
    "4 h",
    "5 days",
  ]);
});
