import { type ReactNode, startTransition, useDeferredValue, useEffect, useMemo, useState } from "react";
import { Icon } from "./icon";
import { putQuery, useQueryText } from "./path";

export type Column<T> = {
  title: string;
  cell: (row: T) => ReactNode;
  /** What rows are sorted by; without it the column sorts nothing. */
  by?: (row: T) => string | number;
  right?: boolean;
  /** Left out where the window is narrow. */
  wide?: boolean;
};

type Props<T> = {
  label: string;
  rows: readonly T[];
  keyOf: (row: T) => string;
  columns: Column<T>[];
  /** What a search looks at; without it there is no search. */
  text?: (row: T) => string;
  empty: ReactNode;
};

const shownAtMost = 200;
const shownAtOnce = 40; // rows; the others are drawn when these are there, as many at a time

/** Rows to search and sort; both stand in the address. */
export function Table<T>({ label, rows, keyOf, columns, text, empty }: Props<T>) {
  const query = new URLSearchParams(useQueryText());
  const typed = query.get("q") ?? "";
  const wanted = useDeferredValue(typed); // the rows follow, and do not hold up who types
  const sort = query.get("sort") ?? "";
  const down = sort.startsWith("-");
  const [box, setBox] = useState<HTMLDivElement | null>(null);
  const scrolls = useScrolls(box);
  const [drawn, setDrawn] = useState(shownAtOnce);
  useEffect(() => {
    if (drawn < Math.min(rows.length, shownAtMost)) startTransition(() => setDrawn(drawn + shownAtOnce));
  }, [drawn, rows.length]);
  const found = useMemo(() => {
    const by = columns.find((c) => c.title === sort.replace(/^-/, ""))?.by;
    const fitting = text ? rows.filter((r) => fits(text(r), wanted)) : [...rows];
    if (by) fitting.sort((a, b) => (sort.startsWith("-") ? -1 : 1) * compare(by(a), by(b)));
    return fitting;
  }, [rows, text, columns, wanted, sort]);
  const lines = useMemo(
    () => found.slice(0, drawn).map((r) => <Line key={keyOf(r)} row={r} columns={columns} />),
    [found, drawn, columns, keyOf],
  );
  if (rows.length === 0) return empty;
  return (
    <div className="space-y-3">
      {text && (rows.length > 5 || typed !== "") ? (
        <div className="flex items-center gap-3">
          <Search label={`Search ${label.toLowerCase()}`} value={typed} />
          <span className="text-sm text-soft" aria-live="polite">
            {found.length === rows.length ? `${rows.length}` : `${found.length} of ${rows.length}`}
          </span>
        </div>
      ) : null}
      <div
        ref={setBox}
        {...(scrolls ? { tabIndex: 0, role: "group", "aria-label": label } : {})}
        className="relative overflow-x-auto rounded-xl border border-line bg-card shadow-xs"
      >
        <table className="w-full text-left text-sm">
          <caption className="sr-only">{label}</caption>
          <thead>
            <tr className="text-xs text-soft">
              {columns.map((c) =>
                c.title === "" ? (
                  <td key="acts" />
                ) : (
                  <th
                    key={c.title}
                    scope="col"
                    aria-sort={sort.replace(/^-/, "") === c.title ? (down ? "descending" : "ascending") : undefined}
                    className={`px-3 py-2 font-medium sm:px-4 md:whitespace-nowrap ${c.right ? "text-right md:min-w-24" : ""} ${c.wide ? "max-md:hidden" : ""}`}
                  >
                    {c.by ? (
                      <button
                        type="button"
                        onClick={() => putQuery("sort", sort === c.title ? `-${c.title}` : c.title)}
                        className="hover:text-ink"
                      >
                        {c.title}
                        {sort.replace(/^-/, "") === c.title ? (down ? " ↓" : " ↑") : ""}
                      </button>
                    ) : (
                      c.title
                    )}
                  </th>
                ),
              )}
            </tr>
          </thead>
          <tbody>{lines}</tbody>
        </table>
        {found.length === 0 ? <p className="border-t border-line px-4 py-6 text-sm text-soft">Nothing fits.</p> : null}
      </div>
      {found.length > shownAtMost ? (
        <p className="text-sm text-soft">The first {shownAtMost} are shown; search for the others.</p>
      ) : null}
    </div>
  );
}

function Line<T>({ row, columns }: { row: T; columns: Column<T>[] }) {
  return (
    <tr className="border-t border-line hover:bg-sunken/60">
      {columns.map((c) => (
        <td
          key={c.title}
          className={`px-3 py-2.5 align-middle sm:px-4 ${c.right ? "text-right whitespace-nowrap tabular-nums" : ""} ${c.wide ? "max-md:hidden" : ""}`}
        >
          {c.cell(row)}
        </td>
      ))}
    </tr>
  );
}

/** Whether a text has every word of a search, whatever their case. */
export function fits(text: string, wanted: string): boolean {
  const words = wanted
    .toLowerCase()
    .split(/\s+/)
    .filter((w) => w !== "");
  return words.every((w) => text.toLowerCase().includes(w));
}

/** Whether something is wider than its place, and so has to be reached by the keyboard. */
function useScrolls(box: HTMLDivElement | null): boolean {
  const [scrolls, setScrolls] = useState(false);
  useEffect(() => {
    if (!box || typeof ResizeObserver === "undefined") return;
    const watch = new ResizeObserver(() => setScrolls(box.scrollWidth > box.clientWidth));
    watch.observe(box);
    return () => watch.disconnect();
  }, [box]);
  return scrolls;
}

function compare(a: string | number, b: string | number): number {
  if (typeof a === "number" && typeof b === "number") return a - b;
  return String(a).localeCompare(String(b));
}

/** A search whose text stands in the address. */
export function Search({ label, value }: { label: string; value: string }) {
  return (
    <div className="relative w-full max-w-xs">
      <span className="pointer-events-none absolute inset-y-0 left-2.5 flex items-center text-soft">
        <Icon name="search" />
      </span>
      <input
        type="search"
        aria-label={label}
        placeholder={label}
        value={value}
        onChange={(e) => putQuery("q", e.target.value)}
        className="h-9 w-full rounded-lg border border-edge bg-card pr-3 pl-8.5 text-sm text-ink placeholder:text-soft"
      />
    </div>
  );
}
