import { type Configured, useConfigured } from "../../draft/configured";
import { useWorkspace } from "../../frame/place";
import { Page } from "../../parts/page";
import { fragment } from "../../parts/path";
import { Section } from "../../parts/section";
import { InputsSection } from "../inputs/inputs-section";
import { Loaded } from "../loaded";
import { Drafted } from "../object/drafted";
import { SetChoice } from "../profiles/set-choice";
import { useSet } from "../profiles/use-set";
import { plain } from "../profiles/words";
import { Begin } from "./begin";
import { IdentityForm } from "./identity-form";
import { LastBuild } from "./last-build";
import { ReviewedPairs } from "./reviews";

/** How customers are recognized: the rules, and what the last build made of them. */
export function IdentityPage() {
  const workspace = useWorkspace();
  const configured = useConfigured(workspace.name);
  return (
    <Loaded query={configured} what="how customers are recognized" page={{ title: "Identity", of: workspace.name }}>
      {(c) => <Identity configured={c} />}
    </Loaded>
  );
}

function Identity({ configured }: { configured: Configured }) {
  const workspace = useWorkspace();
  const { all, profile, query } = useSet(configured);
  return (
    <Page
      title="Identity"
      of={workspace.name}
      hint="Which user ids, e-mails and devices are one customer. Changed rules reach the past: what they join or part is joined or parted with the next build."
      beside={profile ? <Drafted configured={configured} kind="profile" name={profile.name} /> : null}
    >
      {profile ? (
        <>
          <SetChoice all={all} profile={profile} />
          <Section title="Last build">
            <LastBuild profile={profile} />
          </Section>
          <InputsSection configured={configured} profile={profile} query={query()} />
          {profile.entities
            .filter((e) => e.ids.every((t) => t.of === undefined))
            .map((e, _, all) => (
              <Section
                key={`${profile.name} ${e.name}`}
                title={all.length > 1 ? `Reviewed pairs of ${plain(e.name)}` : "Reviewed pairs"}
              >
                <ReviewedPairs
                  profile={profile}
                  entity={e.name}
                  href={(id) => `${workspace.path("customers", "find")}${query()}${fragment("id", id)}`}
                />
              </Section>
            ))}
          <IdentityForm key={profile.name} configured={configured} opened={profile} />
        </>
      ) : (
        <Begin configured={configured} />
      )}
    </Page>
  );
}
