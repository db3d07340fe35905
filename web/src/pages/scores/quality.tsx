import type { Score } from "../../api/profiles";
import { useWorkspace } from "../../frame/place";
import type { Tone } from "../../parts/badge";
import { Notice } from "../../parts/notice";
import { When } from "../../parts/when";
import { count } from "../flow";
import { type Stat, Stats } from "../object/stats";
import { PlaneTrouble, quoted } from "../plane-trouble";
import type { useStanding } from "./use-scores";
import { driftOf, examplesOf, goodnessOf } from "./words";

type Props = { standing: ReturnType<typeof useStanding>; declared: Score };

const plainTone = (tone: Tone): NonNullable<Stat["tone"]> => (tone === "quiet" ? "plain" : tone);

/** How a score stands: on how many customers, its mean, and whether it still says what it said. */
export function Quality({ standing, declared }: Props) {
  const workspace = useWorkspace();
  const { query, last } = standing;
  if (query.error)
    return (
      <PlaneTrouble
        error={query.error}
        what="how good the score is"
        command={`weir profiles status --workspace ${quoted(workspace.name)}`}
        onRetry={() => query.refetch()}
      />
    );
  const score = standing.of(declared.name);
  const drift = driftOf(score);
  const good = goodnessOf(declared, score);
  if (!score)
    return query.data ? (
      <Notice tone="calm" title="Not computed yet.">
        <p>The next run of the profiles computes it, and measures from then on how it drifts.</p>
      </Notice>
    ) : null;
  const examples = examplesOf(score);
  if (score.persons === 0)
    return (
      <div className="space-y-3">
        <Notice
          tone={good?.tone === "bad" ? "warn" : "calm"}
          title={good ? `${good.title}: nobody has this score.` : "Nobody has this score."}
        >
          <p>
            {good
              ? good.text
              : "What it is made from is not known of any customer. The previews below show for whom it would be."}
          </p>
          {last ? (
            <p className="text-soft">
              Last tried <When at={last.startedAt} />.
            </p>
          ) : null}
        </Notice>
        {examples.length > 0 ? <Stats stats={examples.map((e) => ({ ...e, tone: plainTone(e.tone) }))} /> : null}
      </div>
    );
  const all = Object.values(last?.built ?? {}).reduce((n, b) => n + b.persons, 0);
  const mean =
    score.mean === undefined || score.persons === 0
      ? "None yet"
      : new Intl.NumberFormat("en", { maximumSignificantDigits: 4 }).format(score.mean);
  return (
    <div className="space-y-3">
      <Stats
        stats={[
          { title: "Customers who have it", value: `${count(score.persons)} of ${count(all)}` },
          { title: "Mean", value: mean },
          ...(good ? [{ title: "How good", value: good.title, tone: plainTone(good.tone) }] : []),
          {
            title: "Drift",
            value: drift.title,
            tone: plainTone(drift.tone),
          },
        ]}
      />
      {good ? <p className="max-w-3xl text-sm text-soft">{good.text}</p> : null}
      <p className="max-w-3xl text-sm text-soft">
        {drift.text}
        {score.from ? (
          <>
            {" "}
            It began <When at={score.from} />
          </>
        ) : null}
        {last ? (
          <>
            {score.from ? " and was last computed " : " It was last computed "}
            <When at={last.startedAt} />.
          </>
        ) : null}
      </p>
    </div>
  );
}
