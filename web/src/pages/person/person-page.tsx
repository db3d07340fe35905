import { useQuery } from "@tanstack/react-query";
import { useParams } from "@tanstack/react-router";
import { Problem } from "../../api/problem";
import { type Person, person } from "../../api/profiles";
import { type Configured, useConfigured } from "../../draft/configured";
import { useWorkspace } from "../../frame/place";
import { Empty } from "../../parts/empty";
import { Link } from "../../parts/link";
import { Page } from "../../parts/page";
import { useFragment } from "../../parts/path";
import { UrlTabs } from "../../parts/url-tabs";
import { When } from "../../parts/when";
import { keys } from "../../queries";
import { Loaded } from "../loaded";
import { quoted } from "../plane-trouble";
import { NoProfiles } from "../profiles/no-profiles";
import { type Profile, useSet } from "../profiles/use-set";
import { Identifiers } from "./identifiers";
import { Known } from "./known";
import { Past } from "./past";
import { Timeline } from "./timeline";

/** One customer, found by any identifier: the public one in the address's path, any other in its fragment. */
export function PersonPage() {
  const workspace = useWorkspace();
  const configured = useConfigured(workspace.name);
  const { identifier = "" } = useParams({ strict: false });
  const page = {
    title: identifier === "find" ? "Customer" : identifier.replace(":", " "),
    up: { href: workspace.path("customers"), title: "Customers" },
  };
  return (
    <Loaded query={configured} what="the customer" page={page}>
      {(c) => <Choose configured={c} />}
    </Loaded>
  );
}

function Choose({ configured }: { configured: Configured }) {
  const { identifier: named = "" } = useParams({ strict: false });
  const sought = useFragment("id");
  const identifier = named === "find" ? sought : named;
  const workspace = useWorkspace();
  const { profile, query } = useSet(configured);
  const up = { href: workspace.path("customers"), title: "Customers" };
  if (!profile)
    return (
      <Page title={identifier} up={up}>
        <NoProfiles />
      </Page>
    );
  return <One profile={profile} identifier={identifier} query={query()} up={up} />;
}

type Props = { profile: Profile; identifier: string; query: string; up: { href: string; title: string } };

function One({ profile, identifier, query, up }: Props) {
  const { name: workspace } = useWorkspace();
  const entity = entityOf(profile, identifier);
  const found = useQuery({
    queryKey: [...keys.profiles(workspace), "person", profile.name, identifier],
    queryFn: ({ signal }) => person(workspace, profile.name, entity, identifier, signal),
  });
  const nobody = found.error instanceof Problem && found.error.status === 404;
  const who = found.data;
  return (
    <Page
      title={who ? nameOf(who) : identifier.replace(":", " ").replace(/^weir_id /, "")}
      up={up}
      of={`Customers · ${workspace}`}
      hint={
        who ? (
          <>
            {who.weirId}
            {who.asOf ? (
              <>
                , as of <When at={who.asOf} />
              </>
            ) : null}
          </>
        ) : null
      }
    >
      {nobody ? (
        <Empty title="Nobody has this identifier.">
          <p>
            {/nobody's: /.test(found.error?.message ?? "")
              ? found.error?.message
              : "It may not have been seen yet, or be part of the next build."}
          </p>
          <Link href={up.href} look="button">
            Look for another one
          </Link>
        </Empty>
      ) : (
        <Loaded
          query={found}
          what="this customer"
          command={`weir profiles get ${quoted(identifier)} --workspace ${quoted(workspace)}`}
        >
          {(p) => (
            <UrlTabs
              label="Parts of the customer"
              tabs={[
                { name: "Known", panel: <Known person={p} profile={profile} query={query} /> },
                { name: "Timeline", panel: <Timeline events={p.events} /> },
                {
                  name: "Identifiers",
                  panel: <Identifiers person={p} profile={profile} entity={entity} />,
                },
                { name: "History", panel: <Past person={p} query={query} /> },
              ]}
            />
          )}
        </Loaded>
      )}
    </Page>
  );
}

/** Whose identifier it is: of the entity that has its type, or whose persons are called so. */
function entityOf(profile: Profile, identifier: string): string {
  const [type = "", value = ""] = identifier.split(/:(.*)/s);
  const own = profile.entities.find((e) =>
    type === "weir_id" ? value.startsWith(`${e.name}_`) : e.ids.some((t) => t.name === type),
  );
  return own?.name ?? profile.entities[0]?.name ?? "";
}

/** What a customer is called: an e-mail address or a name where one is known. */
function nameOf(p: Person): string {
  for (const trait of ["name", "full_name", "email", "mail"]) {
    const value = p.traits[trait];
    if (typeof value === "string" && value !== "") return value;
  }
  return p.identifiers.find((i) => i.type === "email")?.value ?? p.identifiers[0]?.value ?? p.weirId;
}
