import type { Score } from "../../api/profiles";
import { useWorkspace } from "../../frame/place";
import { Badge } from "../../parts/badge";
import { Page } from "../../parts/page";
import { go } from "../../parts/path";
import { MemberBadge } from "../profiles/member-badge";
import { type At, MemberPage } from "../profiles/member-page";
import { TakingMember } from "../profiles/taking-member";
import { UsedBy } from "../profiles/used-by";
import { usesOfFeature } from "../profiles/uses";
import { Inputs } from "./inputs";
import { Quality } from "./quality";
import { ScoreForm } from "./score-form";
import { useStanding } from "./use-scores";
import { driftOf } from "./words";

/** One score, or a new one. */
export function ScorePage() {
  return (
    <MemberPage
      list="scores"
      hint="Say how a number is made for each customer; what it would be for everybody stands beside it."
      fresh={({ up, ...at }) => <ScoreForm {...at} onDone={() => go(up.href)} />}
    >
      {(score, at) => <One key={score.name} {...at} score={score} />}
    </MemberPage>
  );
}

function One({ configured, profile, query, up, score }: At & { score: Score }) {
  const workspace = useWorkspace();
  const uses = usesOfFeature(configured.document, profile, score.name);
  const published = configured.published.profiles?.find((p) => p.name === profile.name);
  const standing = useStanding(published?.scores?.some((s) => s.name === score.name) ? published : undefined);
  const drift = driftOf(standing.of(score.name));
  return (
    <Page
      title={score.name}
      up={up}
      of={`Scores · ${workspace.name}`}
      hint={<UsedBy uses={uses} />}
      beside={
        <>
          <Badge tone={drift.tone}>{drift.title}</Badge>
          <MemberBadge configured={configured} profile={profile} list="scores" name={score.name} />
        </>
      }
      actions={
        <TakingMember
          configured={configured}
          profile={profile}
          list="scores"
          name={score.name}
          uses={uses}
          after={up.href}
        />
      }
    >
      <Quality standing={standing} declared={score} />
      <Inputs profile={profile} score={score} query={query} />
      <ScoreForm
        configured={configured}
        profile={profile}
        opened={score}
        query={query}
        onDone={(next) => next === score.name || go(`${workspace.path("scores", next)}${query}`)}
      />
    </Page>
  );
}
