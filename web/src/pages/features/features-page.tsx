import type { Configured } from "../../draft/configured";
import { useConfigured } from "../../draft/configured";
import { useWorkspace } from "../../frame/place";
import { Empty } from "../../parts/empty";
import { Icon } from "../../parts/icon";
import { Link } from "../../parts/link";
import { Page } from "../../parts/page";
import { Table } from "../../parts/table";
import { Loaded } from "../loaded";
import { MemberBadge } from "../profiles/member-badge";
import { NoProfiles } from "../profiles/no-profiles";
import { SetChoice } from "../profiles/set-choice";
import { useSet } from "../profiles/use-set";
import { usesOfFeature } from "../profiles/uses";
import { featureText } from "../profiles/words";

/** What is known of each customer, one value a line. */
export function FeaturesPage() {
  const workspace = useWorkspace();
  const configured = useConfigured(workspace.name);
  return (
    <Loaded query={configured} what="the features" page={{ title: "Features", of: workspace.name }}>
      {(c) => <Features configured={c} />}
    </Loaded>
  );
}

function Features({ configured }: { configured: Configured }) {
  const workspace = useWorkspace();
  const { all, profile, query } = useSet(configured);
  const add = (
    <Link href={`${workspace.path("features", "new")}${query()}`} look="strong">
      <Icon name="plus" />
      New feature
    </Link>
  );
  return (
    <Page
      title="Features"
      of={workspace.name}
      hint="One value for each customer, such as the tickets of the last 7 days. Audiences and syncs use them."
      actions={profile ? add : null}
    >
      {profile ? (
        <>
          <SetChoice all={all} profile={profile} />
          <Table
            label="Features"
            rows={profile.features ?? []}
            keyOf={(f) => f.name}
            text={(f) => `${f.name} ${featureText(f)}`}
            empty={
              <Empty title="No feature yet.">
                <p>
                  A feature is one sentence: count, sum or the latest of something, in the last days, with conditions.
                </p>
                {add}
              </Empty>
            }
            columns={[
              {
                title: "Name",
                by: (f) => f.name,
                cell: (f) => (
                  <span className="flex flex-wrap items-center gap-2">
                    <Link href={`${workspace.path("features", f.name)}${query()}`} look="name">
                      {f.name}
                    </Link>
                    <MemberBadge configured={configured} profile={profile} list="features" name={f.name} />
                  </span>
                ),
              },
              { title: "What it is", wide: true, cell: (f) => <span className="text-soft">{featureText(f)}</span> },
              {
                title: "Used by",
                right: true,
                by: (f) => usesOfFeature(configured.document, profile, f.name).length,
                cell: (f) => usesOfFeature(configured.document, profile, f.name).length,
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
