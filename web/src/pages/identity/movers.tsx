import type { Mover } from "../../api/profiles";

/** Some of the identifiers that would leave their customer. */
export function Movers({ movers }: { movers: Mover[] }) {
  if (movers.length === 0) return null;
  return (
    <div className="min-w-0 space-y-2">
      <h3 className="text-sm font-medium">Some of the identifiers that would move</h3>
      <ul className="divide-y divide-line rounded-xl border border-line bg-card text-sm shadow-xs">
        {movers.map((m) => (
          <li key={m.id} className="space-y-0.5 px-4 py-2">
            <p className="font-mono text-[13px] break-all">{m.id}</p>
            <p className="text-soft break-all">
              from {m.from} to {m.with || "nobody"}
            </p>
          </li>
        ))}
      </ul>
    </div>
  );
}
