import { expect, test } from "vitest";
import { csvOf } from "./csv";

test("rows are CSV that spreadsheets read as texts and numbers, and never as formulas", () => {
  const rows = [
    { id: "a,b", n: -1.5, note: 'says "no"' },
    { id: "=1+1", n: null, note: { k: [1] } },
    { id: "-2", note: "two\nlines" },
  ];
  expect(csvOf(["id", "n", "note"], rows)).toBe(
    'id,n,note\r\n"a,b",-1.5,"says ""no"""\r\n\'=1+1,,"{""k"":[1]}"\r\n-2,,"two\nlines"\r\n',
  );
});
