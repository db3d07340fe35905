import { type ReactNode, useId } from "react";

/** A part of a page under its heading. */
export function Section({ title, hint, children }: { title: string; hint?: string; children: ReactNode }) {
  const id = useId();
  return (
    <section aria-labelledby={id} className="space-y-3">
      <div className="flex flex-wrap items-baseline gap-x-3">
        <h2 id={id} className="text-base font-semibold">
          {title}
        </h2>
        {hint ? <p className="text-sm text-soft">{hint}</p> : null}
      </div>
      {children}
    </section>
  );
}

/** A raised surface; inset ones carry their own padding. */
export function Card({ children }: { children: ReactNode }) {
  return <div className="rounded-xl border border-line bg-card shadow-xs">{children}</div>;
}
