import type { Score } from "../../api/profiles";
import { type Configured, useConfigured } from "../../draft/configured";
import { useWorkspace } from "../../frame/place";
import { Badge } from "../../parts/badge";
import { Empty } from "../../parts/empty";
import { Icon } from "../../parts/icon";
import { Link } from "../../parts/link";
import { Page } from "../../parts/page";
import { Table } from "../../parts/table";
import { When } from "../../parts/when";
import { count } from "../flow";
import { Loaded } from "../loaded";
import { PlaneTrouble, quoted } from "../plane-trouble";
import { MemberBadge } from "../profiles/member-badge";
import { NoProfiles } from "../profiles/no-profiles";
import { SetChoice } from "../profiles/set-choice";
import { useSet } from "../profiles/use-set";
import { usesOfFeature } from "../profiles/uses";
import { Bars } from "./bars";
import { useSpreads, useStanding } from "./use-scores";
import { driftOf, goodnessOf, scoreText, wayTitle } from "./words";

/** What is likely of each customer, a number a line. */
export function ScoresPage() {
  const workspace = useWorkspace();
  const configured = useConfigured(workspace.name);
  return (
    <Loaded query={configured} what="the scores" page={{ title: "Scores", of: workspace.name }}>
      {(c) => <Scores configured={c} />}
    </Loaded>
  );
}

function Scores({ configured }: { configured: Configured }) {
  const workspace = useWorkspace();
  const { all, profile, query } = useSet(configured);
  const published = configured.published.profiles?.find((p) => p.name === profile?.name);
  const asked = (published?.scores ?? []).length > 0 ? published : undefined;
  const spread = useSpreads(asked);
  const standing = useStanding(asked);
  const trouble = standing.query.error ?? spread.error;
  const add = (
    <Link href={`${workspace.path("scores", "new")}${query()}`} look="strong">
      <Icon name="plus" />
      New score
    </Link>
  );
  return (
    <Page
      title="Scores"
      of={workspace.name}
      hint="A number for each customer that says what is likely, such as that they leave. Each run of the profiles computes it from features; audiences and syncs use it like one."
      actions={profile ? add : null}
    >
      {profile ? (
        <>
          <SetChoice all={all} profile={profile} />
          {trouble ? (
            <PlaneTrouble
              error={trouble}
              what="the numbers of the last run"
              command={`weir profiles status --workspace ${quoted(workspace.name)}`}
              onRetry={() => {
                standing.query.refetch();
                spread.refetch();
              }}
            />
          ) : null}
          <Table
            label="Scores"
            rows={profile.scores ?? []}
            keyOf={(s) => s.name}
            text={(s) => `${s.name} ${wayTitle(s)} ${scoreText(s)}`}
            empty={
              <Empty title="No score yet.">
                <p>
                  A score weighs features, is a formula of them, comes from a model that somebody trained, or is read
                  from a table.
                </p>
                {add}
              </Empty>
            }
            columns={[
              {
                title: "Name",
                by: (s) => s.name,
                cell: (s) => (
                  <span className="flex flex-wrap items-center gap-2">
                    <Link href={`${workspace.path("scores", s.name)}${query()}`} look="name">
                      {s.name}
                    </Link>
                    <MemberBadge configured={configured} profile={profile} list="scores" name={s.name} />
                  </span>
                ),
              },
              {
                title: "Kind",
                wide: true,
                by: (s) => wayTitle(s),
                cell: (s) => (
                  <span className="text-soft">
                    {wayTitle(s)}
                    {s.predict ? <span className="block text-xs">{scoreText(s)}</span> : null}
                  </span>
                ),
              },
              {
                title: "How it is spread",
                cell: (s) => {
                  const numbers = spread.data?.find((x) => x.name === s.name)?.numbers;
                  return numbers ? <Bars name={s.name} numbers={numbers} /> : "–";
                },
              },
              {
                title: "Customers",
                right: true,
                wide: true,
                by: (s) => standing.of(s.name)?.persons ?? -1,
                cell: (s) => {
                  const n = standing.of(s.name)?.persons;
                  return n === undefined ? "–" : count(n);
                },
              },
              ...((profile.scores ?? []).some((s) => s.predict)
                ? [
                    {
                      title: "How good",
                      cell: (s: Score) => {
                        const good = goodnessOf(s, standing.of(s.name));
                        return good ? <Badge tone={good.tone}>{good.title}</Badge> : "–";
                      },
                    },
                  ]
                : []),
              {
                title: "Drift",
                by: (s) => standing.of(s.name)?.drift ?? -1,
                cell: (s) => {
                  const drift = driftOf(standing.of(s.name));
                  return <Badge tone={drift.tone}>{drift.title}</Badge>;
                },
              },
              {
                title: "Last computed",
                wide: true,
                cell: (s) => (standing.last && standing.of(s.name) ? <When at={standing.last.startedAt} /> : "–"),
              },
              {
                title: "Used by",
                right: true,
                wide: true,
                by: (s) => usesOfFeature(configured.document, profile, s.name).length,
                cell: (s) => usesOfFeature(configured.document, profile, s.name).length,
              },
            ]}
          />
        </>
      ) : (
        <NoProfiles />
      )}
    </Page>
  );
}
