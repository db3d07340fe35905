import type { ReactNode } from "react";

type Tone = "warn" | "bad" | "calm";

const colours: Record<Tone, { box: string; title: string }> = {
  warn: { box: "border-warn/40 bg-warn-wash", title: "text-warn" },
  bad: { box: "border-bad/40 bg-bad-wash", title: "text-bad" },
  calm: { box: "border-line bg-card", title: "text-ink" },
};

/** Something to know now: what happened, and below it what to do. Bad ones are announced at once. */
export function Notice({ tone, title, children }: { tone: Tone; title: string; children?: ReactNode }) {
  return (
    <div
      role={tone === "bad" ? "alert" : "status"}
      className={`rounded-xl border px-4 py-3 text-sm ${colours[tone].box}`}
    >
      <p className={`font-semibold ${colours[tone].title}`}>{title}</p>
      {children ? <div className="mt-1 space-y-2 text-ink">{children}</div> : null}
    </div>
  );
}
