import { Icon } from "../../parts/icon";

/** How far one is on the way through some steps. */
export function Steps({ names, at }: { names: string[]; at: number }) {
  return (
    <ol className="flex flex-wrap gap-x-6 gap-y-2 text-sm">
      {names.map((n, i) => (
        <li
          key={n}
          aria-current={i === at ? "step" : undefined}
          className={`flex items-center gap-2 ${i === at ? "font-medium text-ink" : "text-soft"}`}
        >
          <span
            aria-hidden="true"
            className={`flex size-6 items-center justify-center rounded-full text-xs ${i < at ? "bg-good-wash text-good" : i === at ? "bg-accent text-on-accent" : "bg-sunken"}`}
          >
            {i < at ? <Icon name="check" /> : i + 1}
          </span>
          {n}
          {i < at ? <span className="sr-only">, done</span> : null}
        </li>
      ))}
    </ol>
  );
}
