import type { IdentifierSet } from "../../api/profiles";
import { count } from "../flow";

/** Customers, each with some identifiers; of says what becomes of how many they were or will be. */
export function Sets({ title, sets, of }: { title: string; sets: IdentifierSet[]; of: (n: number) => string }) {
  if (sets.length === 0) return null;
  return (
    <div className="min-w-0 space-y-2">
      <h3 className="text-sm font-medium">{title}</h3>
      <ul className="divide-y divide-line rounded-xl border border-line bg-card text-sm shadow-xs" aria-label={title}>
        {sets.map((s) => (
          <li key={s.examples.join()} className="space-y-0.5 px-4 py-2">
            <p>
              <span className="font-medium tabular-nums">{count(s.ids)} identifiers</span>{" "}
              <span className="text-soft">{of(s.of)}</span>
            </p>
            <p className="font-mono text-[13px] text-soft break-all">
              {s.examples.join(", ")}
              {s.ids > s.examples.length ? ", …" : ""}
            </p>
          </li>
        ))}
      </ul>
    </div>
  );
}
