import { type Line, lineDifference } from "./lines";

const around = 3; // lines that are shown before and after a change

type Shown = Line & { n: number };

/** Two texts as lines that went and came; long stretches that are the same are left out. */
export function Difference({ before, after, name }: { before: string; after: string; name: string }) {
  const lines = lineDifference(before, after).map((l, n): Shown => ({ ...l, n }));
  const near = lines.filter((l) =>
    lines.slice(Math.max(0, l.n - around), l.n + around + 1).some((x) => x.sign !== " "),
  );
  if (near.length === 0) return <p className="text-sm text-soft">They are the same.</p>;
  return (
    <section
      aria-label={name}
      // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard
      tabIndex={0}
      className="max-h-96 overflow-auto rounded-lg border border-line bg-sunken py-2 font-mono text-[13px] leading-5"
    >
      {near.map((l, i) => (
        <div key={l.n}>
          {(near[i - 1]?.n ?? -1) < l.n - 1 ? <div className="px-3 text-soft">…</div> : null}
          <div className={`w-max min-w-full px-3 whitespace-pre ${colours[l.sign]}`}>
            <span className="sr-only">{words[l.sign]}</span>
            <span aria-hidden="true">{l.sign} </span>
            {l.text}
          </div>
        </div>
      ))}
      {(near.at(-1)?.n ?? 0) < lines.length - 1 ? <div className="px-3 text-soft">…</div> : null}
    </section>
  );
}

const colours = { " ": "text-ink", "-": "bg-bad-wash text-bad", "+": "bg-good-wash text-good" };
const words = { " ": "", "-": "Removed: ", "+": "Added: " };
