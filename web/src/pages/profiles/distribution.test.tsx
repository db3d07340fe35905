import { cleanup, render, screen } from "@testing-library/react";
import { afterEach, expect, test } from "vitest";
import type { Numbers } from "../../api/profiles";
import { Distribution } from "./distribution";

const values = Array.from({ length: 13 }, (_, i) => ({ value: `${i}.0`, persons: 1 }));
const draw = (numbers: Numbers) =>
  render(<Distribution preview={{ persons: 13, known: 13, values, rows: [], lineage: [], sampled: false, numbers }} />);
const names = () => screen.getAllByRole("rowheader").map((h) => h.textContent);

afterEach(cleanup);

test("steps of whole numbers say which they have, and the last one ends at the greatest", () => {
  draw({ min: 0, max: 40, mean: 9, step: 4, persons: [1, 2, 1, 1, 1, 1, 1, 1, 1, 1, 2] });
  expect(names().slice(0, 2)).toEqual(["0 – 3", "4 – 7"]);
  expect(names().at(-1)).toBe("40");
});

test("steps of other numbers have the same bounds", () => {
  draw({ min: 0, max: 6, mean: 2, persons: [1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 2] });
  expect(names().slice(0, 2)).toEqual(["0 – 0.5", "0.5 – 1"]);
});
