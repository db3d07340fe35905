import { useParams } from "@tanstack/react-router";
import { type Configured, useConfigured } from "../../draft/configured";
import { useWorkspace } from "../../frame/place";
import { Notice } from "../../parts/notice";
import { Page } from "../../parts/page";
import { go } from "../../parts/path";
import { Loaded } from "../loaded";
import { MemberBadge } from "../profiles/member-badge";
import { NoProfiles } from "../profiles/no-profiles";
import { TakingMember } from "../profiles/taking-member";
import { useSet } from "../profiles/use-set";
import { UsedBy } from "../profiles/used-by";
import { usesOfFeature } from "../profiles/uses";
import { FeatureForm } from "./feature-form";

/** One feature, or a new one. */
export function FeaturePage() {
  const { name } = useParams({ strict: false });
  const workspace = useWorkspace();
  const configured = useConfigured(workspace.name);
  return (
    <Loaded
      query={configured}
      what="the feature"
      page={{ title: name ?? "New feature", up: { href: workspace.path("features"), title: "Features" } }}
    >
      {(c) => <Feature configured={c} />}
    </Loaded>
  );
}

function Feature({ configured }: { configured: Configured }) {
  const { name } = useParams({ strict: false });
  const workspace = useWorkspace();
  const { profile, query } = useSet(configured);
  const up = { href: `${workspace.path("features")}${query()}`, title: "Features" };
  if (!profile)
    return (
      <Page title={name ?? "New feature"} up={up}>
        <NoProfiles />
      </Page>
    );
  if (name === undefined)
    return (
      <Page
        title="New feature"
        of={workspace.name}
        up={up}
        hint="Say in one sentence what is to be known of each customer."
      >
        <FeatureForm configured={configured} profile={profile} query={query()} onDone={() => go(up.href)} />
      </Page>
    );
  const feature = profile.features?.find((f) => f.name === name);
  if (!feature)
    return (
      <Page title={name} up={up}>
        <Notice tone="warn" title={`There is no feature ${name} in ${profile.name}.`}>
          <p>It may have been renamed or removed; the history says when.</p>
        </Notice>
      </Page>
    );
  const uses = usesOfFeature(configured.document, profile, name);
  return (
    <Page
      title={name}
      up={up}
      of={`Features · ${workspace.name}`}
      hint={<UsedBy uses={uses} />}
      beside={<MemberBadge configured={configured} profile={profile} list="features" name={name} />}
      actions={
        <TakingMember
          configured={configured}
          profile={profile}
          list="features"
          name={name}
          uses={uses}
          after={up.href}
        />
      }
    >
      <FeatureForm
        key={name}
        configured={configured}
        profile={profile}
        opened={feature}
        query={query()}
        onDone={(next) => next === name || go(`${workspace.path("features", next)}${query()}`)}
      />
    </Page>
  );
}
