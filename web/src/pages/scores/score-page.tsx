import { useParams } from "@tanstack/react-router";
import type { Score } from "../../api/profiles";
import { type Configured, useConfigured } from "../../draft/configured";
import { useWorkspace } from "../../frame/place";
import { Badge } from "../../parts/badge";
import { Notice } from "../../parts/notice";
import { Page } from "../../parts/page";
import { go } from "../../parts/path";
import { Loaded } from "../loaded";
import { MemberBadge } from "../profiles/member-badge";
import { NoProfiles } from "../profiles/no-profiles";
import { TakingMember } from "../profiles/taking-member";
import { type Profile, useSet } from "../profiles/use-set";
import { UsedBy } from "../profiles/used-by";
import { usesOfFeature } from "../profiles/uses";
import { Inputs } from "./inputs";
import { Quality } from "./quality";
import { ScoreForm } from "./score-form";
import { useStanding } from "./use-scores";
import { driftOf } from "./words";

/** One score, or a new one. */
export function ScorePage() {
  const { name } = useParams({ strict: false });
  const workspace = useWorkspace();
  const configured = useConfigured(workspace.name);
  return (
    <Loaded
      query={configured}
      what="the score"
      page={{ title: name ?? "New score", up: { href: workspace.path("scores"), title: "Scores" } }}
    >
      {(c) => <One configured={c} />}
    </Loaded>
  );
}

function One({ configured }: { configured: Configured }) {
  const { name } = useParams({ strict: false });
  const workspace = useWorkspace();
  const { profile, query } = useSet(configured);
  const up = { href: `${workspace.path("scores")}${query()}`, title: "Scores" };
  if (!profile)
    return (
      <Page title={name ?? "New score"} up={up}>
        <NoProfiles />
      </Page>
    );
  if (name === undefined)
    return (
      <Page
        title="New score"
        of={workspace.name}
        up={up}
        hint="Say how a number is made for each customer; what it would be for everybody stands beside it."
      >
        <ScoreForm configured={configured} profile={profile} query={query()} onDone={() => go(up.href)} />
      </Page>
    );
  const score = profile.scores?.find((s) => s.name === name);
  if (!score)
    return (
      <Page title={name} up={up}>
        <Notice tone="warn" title={`There is no score ${name} in ${profile.name}.`}>
          <p>It may have been renamed or removed; the history says when.</p>
        </Notice>
      </Page>
    );
  return <Opened key={name} configured={configured} profile={profile} score={score} query={query()} up={up} />;
}

type Props = {
  configured: Configured;
  profile: Profile;
  score: Score;
  query: string;
  up: { href: string; title: string };
};

function Opened({ configured, profile, score, query, up }: Props) {
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
