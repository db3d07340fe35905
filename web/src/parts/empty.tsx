import type { ReactNode } from "react";

/** Says that there is nothing yet, and below it how to begin. */
export function Empty({ title, children }: { title: string; children: ReactNode }) {
  return (
    <div className="rounded-xl border border-dashed border-edge/60 px-5 py-6 text-sm">
      <p className="font-semibold text-ink">{title}</p>
      <div className="mt-1.5 space-y-3 text-soft">{children}</div>
    </div>
  );
}
