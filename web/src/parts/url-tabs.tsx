import type { ReactNode } from "react";
import { type KeyboardEvent, useId, useRef } from "react";
import { putQuery, useQueryText } from "./path";

type Tab = { name: string; panel: ReactNode };

/** The parts of a page, one at a time; which one stands in the address. Arrow keys move between them. */
export function UrlTabs({ label, tabs }: { label: string; tabs: Tab[] }) {
  const wanted = new URLSearchParams(useQueryText()).get("tab");
  const chosen = Math.max(
    0,
    tabs.findIndex((t) => slug(t.name) === wanted),
  );
  const id = useId();
  const list = useRef<HTMLDivElement>(null);
  const choose = (i: number) => putQuery("tab", i === 0 ? "" : slug(tabs[i]?.name ?? ""));
  const move = (e: KeyboardEvent) => {
    const to = { ArrowRight: chosen + 1, ArrowLeft: chosen - 1, Home: 0, End: tabs.length - 1 }[e.key];
    if (to === undefined) return;
    e.preventDefault();
    const next = (to + tabs.length) % tabs.length;
    choose(next);
    list.current?.querySelectorAll<HTMLElement>("[role=tab]")[next]?.focus();
  };
  return (
    <div>
      <div
        ref={list}
        role="tablist"
        aria-label={label}
        onKeyDown={move}
        className="flex flex-wrap gap-x-6 border-b border-line"
      >
        {tabs.map((t, i) => (
          <button
            key={t.name}
            type="button"
            role="tab"
            id={`${id}-tab-${i}`}
            aria-selected={i === chosen}
            aria-controls={`${id}-panel`}
            tabIndex={i === chosen ? 0 : -1}
            onClick={() => choose(i)}
            className={`-mb-px border-b-2 py-2 text-sm transition-colors ${i === chosen ? "border-accent font-medium text-ink" : "border-transparent text-soft hover:text-ink"}`}
          >
            {t.name}
          </button>
        ))}
      </div>
      <div role="tabpanel" id={`${id}-panel`} aria-labelledby={`${id}-tab-${chosen}`} className="pt-5">
        {tabs[chosen]?.panel}
      </div>
    </div>
  );
}

function slug(name: string): string {
  return name.toLowerCase().replaceAll(" ", "-");
}
