import type { Score } from "../../api/profiles";
import { useWorkspace } from "../../frame/place";
import { Link } from "../../parts/link";
import { Section } from "../../parts/section";
import { gainsOf } from "../profiles/gains";
import type { Profile } from "../profiles/use-set";
import { inputsOf } from "../profiles/uses";
import { featureText, plain } from "../profiles/words";

type Row = { name: string; text: string; size: number; tone: "up" | "down" };

const number = new Intl.NumberFormat("en", { maximumSignificantDigits: 3, signDisplay: "exceptZero" });
const percent = new Intl.NumberFormat("en", { style: "percent", maximumFractionDigits: 1 });

/** The features that a score is made from, with how much each counts where the score says it. */
export function Inputs({ profile, score, query }: { profile: Profile; score: Score; query: string }) {
  const workspace = useWorkspace();
  const features = profile.features ?? [];
  const rows = rowsOf(
    score,
    features.map((f) => f.name),
  );
  if (rows.length === 0) return null;
  const most = Math.max(1e-9, ...rows.map((r) => r.size));
  const weighed = rows.some((r) => r.size > 0);
  return (
    <Section title="Made from" hint={score.predict ? "What it is learned from." : (hints[score.model] ?? "")}>
      <ul className="divide-y divide-line rounded-xl border border-line bg-card text-sm shadow-xs">
        {rows.map((r) => {
          const feature = features.find((f) => f.name === r.name);
          return (
            <li key={r.name} className="grid gap-x-4 gap-y-1 px-4 py-2.5 sm:grid-cols-[minmax(0,1fr)_minmax(0,1fr)]">
              <span className="min-w-0">
                {feature ? (
                  <Link href={`${workspace.path("features", r.name)}${query}`} look="name">
                    {plain(r.name)}
                  </Link>
                ) : (
                  plain(r.name)
                )}
                <span className="block text-soft">{feature ? featureText(feature) : "There is no such feature."}</span>
              </span>
              {weighed ? (
                <span className="flex items-center gap-2">
                  <span
                    aria-hidden="true"
                    className={`h-3 rounded-sm ${r.tone === "up" ? "bg-accent" : "bg-warn"}`}
                    style={{ width: `max(2px, calc((100% - 9rem) * ${r.size / most}))` }}
                  />
                  <span className="whitespace-nowrap text-soft tabular-nums">{r.text}</span>
                </span>
              ) : null}
            </li>
          );
        })}
      </ul>
    </Section>
  );
}

const hints: Partial<Record<Score["model"], string>> = {
  logistic: "What one more of each adds to the score before it becomes a chance.",
  boosted: "What share of what the model gains comes from each.",
};

function rowsOf(score: Score, features: readonly string[]): Row[] {
  const names = score.predict ? (score.features ?? []) : inputsOf(score, features);
  if (score.predict) return names.map((name) => ({ name, text: "", size: 0, tone: "up" }));
  if (score.model === "logistic")
    return names
      .map((name): Row => {
        const w = Number(score.weights?.[name] ?? 0);
        return {
          name,
          text: `${w < 0 ? "lowers" : "raises"} (${number.format(w)})`,
          size: Math.abs(w),
          tone: w < 0 ? "down" : "up",
        };
      })
      .sort((a, b) => b.size - a.size);
  const gains = gainsOf(score);
  const own = Object.keys(gains); // the model's names in its order; features of the score take their places
  const all = Object.values(gains).reduce((a, b) => a + b, 0);
  return names
    .map((name, i): Row => {
      const gain = gains[name] ?? gains[own[i] ?? ""] ?? 0;
      return { name, text: percent.format(all > 0 ? gain / all : 0), size: gain, tone: "up" };
    })
    .sort((a, b) => b.size - a.size);
}
