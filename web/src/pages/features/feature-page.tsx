import type { Feature } from "../../api/profiles";
import { useWorkspace } from "../../frame/place";
import { Page } from "../../parts/page";
import { go } from "../../parts/path";
import { MemberBadge } from "../profiles/member-badge";
import { type At, MemberPage } from "../profiles/member-page";
import { TakingMember } from "../profiles/taking-member";
import { UsedBy } from "../profiles/used-by";
import { usesOfFeature } from "../profiles/uses";
import { FeatureForm } from "./feature-form";

/** One feature, or a new one. */
export function FeaturePage() {
  return (
    <MemberPage
      list="features"
      hint="Say in one sentence what is to be known of each customer."
      fresh={({ up, ...at }) => <FeatureForm {...at} onDone={() => go(up.href)} />}
    >
      {(feature, at) => <One {...at} feature={feature} />}
    </MemberPage>
  );
}

function One({ configured, profile, query, up, feature }: At & { feature: Feature }) {
  const { name } = feature;
  const workspace = useWorkspace();
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
        query={query}
        onDone={(next) => next === name || go(`${workspace.path("features", next)}${query}`)}
      />
    </Page>
  );
}
