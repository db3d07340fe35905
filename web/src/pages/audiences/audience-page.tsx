import type { Audience } from "../../api/profiles";
import { useWorkspace } from "../../frame/place";
import { Page } from "../../parts/page";
import { go } from "../../parts/path";
import { UrlTabs } from "../../parts/url-tabs";
import { AccessOf } from "../access/access-of";
import { count } from "../flow";
import { Loaded } from "../loaded";
import { quoted } from "../plane-trouble";
import { MemberBadge } from "../profiles/member-badge";
import { type At, MemberPage } from "../profiles/member-page";
import { TakingMember } from "../profiles/taking-member";
import { memberState } from "../profiles/use-member";
import { UsedBy } from "../profiles/used-by";
import { usesOfAudience } from "../profiles/uses";
import { Activate } from "./activate";
import { AudienceForm } from "./audience-form";
import { SizeHistory } from "./size-history";
import { useSizes } from "./use-sizes";

/** One audience, or a new one. */
export function AudiencePage() {
  return (
    <MemberPage
      list="audiences"
      hint="Say who is in it; the numbers follow while you do."
      fresh={({ up, ...at }) => <AudienceForm {...at} onDone={() => go(up.href)} />}
    >
      {(audience, at) => <One {...at} audience={audience} />}
    </MemberPage>
  );
}

function One({ configured, profile, query, up, audience }: At & { audience: Audience }) {
  const { name } = audience;
  const workspace = useWorkspace();
  const isNew = memberState(configured, profile, "audiences", name) === "new";
  const sizes = useSizes(isNew ? undefined : profile);
  const size = sizes.data?.find((s) => s.name === name);
  const uses = usesOfAudience(configured.document, profile, name);
  return (
    <Page
      title={name}
      up={up}
      of={`Audiences · ${workspace.name}`}
      hint={
        <>
          {size ? `${count(size.persons)} customers since the last run. ` : ""}
          <UsedBy uses={uses} />
        </>
      }
      beside={<MemberBadge configured={configured} profile={profile} list="audiences" name={name} />}
      actions={
        <>
          <TakingMember
            configured={configured}
            profile={profile}
            list="audiences"
            name={name}
            uses={uses}
            after={up.href}
          />
          <Activate configured={configured} profile={profile} audience={name} />
        </>
      }
    >
      <UrlTabs
        label={`Parts of ${name}`}
        tabs={[
          {
            name: "Who is in it",
            panel: (
              <AudienceForm
                key={name}
                configured={configured}
                profile={profile}
                opened={audience}
                query={query}
                onDone={(next) => next === name || go(`${workspace.path("audiences", next)}${query}`)}
              />
            ),
          },
          {
            name: "Size",
            panel: isNew ? (
              <p className="text-sm text-soft">It is counted from the first run after it is published.</p>
            ) : (
              <Loaded
                query={sizes}
                what="its size"
                command={`weir audience list --workspace ${quoted(workspace.name)}`}
              >
                {() =>
                  size ? <SizeHistory size={size} /> : <p className="text-sm text-soft">No run counted it yet.</p>
                }
              </Loaded>
            ),
          },
          ...(isNew
            ? []
            : [
                {
                  name: "Access",
                  panel: (
                    <AccessOf
                      kind="audience"
                      name={name}
                      id={undefined}
                      note="An audience is a part of its profile, and whoever may change all of the workspace changes it: no role is given on it alone."
                    />
                  ),
                },
              ]),
        ]}
      />
    </Page>
  );
}
