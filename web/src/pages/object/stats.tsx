export type Stat = { title: string; value: string; tone?: "plain" | "good" | "warn" | "bad" };

const colours = { plain: "text-ink", good: "text-good", warn: "text-warn", bad: "text-bad" };

/** Some numbers beside each other, each under its title. */
export function Stats({ stats }: { stats: Stat[] }) {
  return (
    <dl className="flex flex-wrap overflow-hidden rounded-xl border border-line bg-card shadow-xs">
      {stats.map((s) => (
        <div key={s.title} className="-mt-px -ml-px min-w-32 flex-1 border-t border-l border-line px-4 py-3">
          <dt className="text-xs text-soft">{s.title}</dt>
          <dd className={`text-lg font-semibold tabular-nums ${colours[s.tone ?? "plain"]}`}>{s.value}</dd>
        </div>
      ))}
    </dl>
  );
}
