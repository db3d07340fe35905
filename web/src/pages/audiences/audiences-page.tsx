import { type Configured, useConfigured } from "../../draft/configured";
import { useWorkspace } from "../../frame/place";
import { Empty } from "../../parts/empty";
import { Icon } from "../../parts/icon";
import { Link } from "../../parts/link";
import { Page } from "../../parts/page";
import { Table } from "../../parts/table";
import { count } from "../flow";
import { Loaded } from "../loaded";
import { PlaneTrouble, quoted } from "../plane-trouble";
import { MemberBadge } from "../profiles/member-badge";
import { NoProfiles } from "../profiles/no-profiles";
import { SetChoice } from "../profiles/set-choice";
import { memberState } from "../profiles/use-member";
import { useSet } from "../profiles/use-set";
import { usesOfAudience } from "../profiles/uses";
import { whereText } from "../profiles/words";
import { useSizes } from "./use-sizes";

/** Sets of customers, with how many are in each. */
export function AudiencesPage() {
  const workspace = useWorkspace();
  const configured = useConfigured(workspace.name);
  return (
    <Loaded query={configured} what="the audiences" page={{ title: "Audiences", of: workspace.name }}>
      {(c) => <Audiences configured={c} />}
    </Loaded>
  );
}

function Audiences({ configured }: { configured: Configured }) {
  const workspace = useWorkspace();
  const { all, profile, query } = useSet(configured);
  const published = configured.published.profiles?.find((p) => p.name === profile?.name);
  const sizes = useSizes(published);
  const add = (
    <Link href={`${workspace.path("audiences", "new")}${query()}`} look="strong">
      <Icon name="plus" />
      New audience
    </Link>
  );
  return (
    <Page
      title="Audiences"
      of={workspace.name}
      hint="Customers who have something in common now. Who comes in or leaves changes with each run, and syncs bring it into tools."
      actions={profile ? add : null}
    >
      {profile ? (
        <>
          <SetChoice all={all} profile={profile} />
          {sizes.error ? (
            <PlaneTrouble
              error={sizes.error}
              what="how many are in them"
              command={`weir audience list --workspace ${quoted(workspace.name)}`}
              onRetry={() => sizes.refetch()}
            />
          ) : null}
          <Table
            label="Audiences"
            rows={profile.audiences ?? []}
            keyOf={(a) => a.name}
            text={(a) => `${a.name} ${whereText(a.where)}`}
            empty={
              <Empty title="No audience yet.">
                <p>An audience is a few conditions, such as: pays, and had two tickets in the last 7 days.</p>
                {add}
              </Empty>
            }
            columns={[
              {
                title: "Name",
                by: (a) => a.name,
                cell: (a) => (
                  <span className="flex flex-wrap items-center gap-2">
                    <Link href={`${workspace.path("audiences", a.name)}${query()}`} look="name">
                      {a.name}
                    </Link>
                    <MemberBadge configured={configured} profile={profile} list="audiences" name={a.name} />
                  </span>
                ),
              },
              {
                title: "Who is in it",
                wide: true,
                cell: (a) => <span className="text-soft">{whereText(a.where)}</span>,
              },
              {
                title: "Customers",
                right: true,
                cell: (a) => {
                  const size = sizes.data?.find((s) => s.name === a.name);
                  if (!size || memberState(configured, profile, "audiences", a.name) === "new") return "–";
                  return count(size.persons);
                },
              },
              {
                title: "Syncs",
                right: true,
                cell: (a) =>
                  usesOfAudience(configured.document, profile, a.name).filter((u) => u.at[0] === "syncs").length,
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
