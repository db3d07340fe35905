import { useParams } from "@tanstack/react-router";
import { type Configured, useConfigured } from "../../draft/configured";
import { useWorkspace } from "../../frame/place";
import { Page } from "../../parts/page";
import { go, useQueryText } from "../../parts/path";
import { Loaded } from "../loaded";
import { Missing, upOf } from "../object/object-page";
import { MemberBadge } from "../profiles/member-badge";
import { NoProfiles } from "../profiles/no-profiles";
import { TakingMember } from "../profiles/taking-member";
import { useSet } from "../profiles/use-set";
import { UsedBy } from "../profiles/used-by";
import { usesOfInput } from "../profiles/uses";
import { InputForm } from "./input-form";

/** One input of profiles, or a new one. */
export function InputPage() {
  const { name } = useParams({ strict: false });
  const workspace = useWorkspace();
  const configured = useConfigured(workspace.name);
  return (
    <Loaded
      query={configured}
      what="the input"
      page={{ title: name ?? "New input", up: upOf("identity", workspace.path("identity")) }}
    >
      {(c) => <Input configured={c} name={name} />}
    </Loaded>
  );
}

function Input({ configured, name }: { configured: Configured; name: string | undefined }) {
  const workspace = useWorkspace();
  const { profile, query } = useSet(configured);
  const then = new URLSearchParams(useQueryText()).get("then");
  const up = upOf("identity", `${workspace.path("identity")}${query()}`);
  if (!profile)
    return (
      <Page title={name ?? "New input"} up={up}>
        <NoProfiles />
      </Page>
    );
  if (name === undefined)
    return (
      <Page
        title="New input"
        of={workspace.name}
        up={up}
        hint="Rows that say something of customers: they join their identifiers, and features and audiences count them."
      >
        <InputForm
          configured={configured}
          profile={profile}
          onDone={(made) =>
            go(then === "features" ? withRows(`${workspace.path("features", "new")}${query()}`, made) : up.href)
          }
        />
      </Page>
    );
  const opened = profile.inputs.find((i) => i.name === name);
  if (!opened) return <Missing kind="input" name={name} within={profile.name} up={up} />;
  const uses = usesOfInput(profile, name);
  const last = profile.inputs.length === 1 ? [{ text: `${profile.name}, which needs one input at least`, at: [] }] : [];
  return (
    <Page
      title={name}
      up={up}
      of={`Inputs · ${workspace.name}`}
      hint={<UsedBy uses={uses} />}
      beside={<MemberBadge configured={configured} profile={profile} list="inputs" name={name} />}
      actions={
        <TakingMember
          configured={configured}
          profile={profile}
          list="inputs"
          name={name}
          uses={[...uses, ...last]}
          after={up.href}
          note="Identifiers that its rows joined stay joined; its rows are no longer read, and not shown on customers' pages."
        />
      }
    >
      <InputForm
        key={name}
        configured={configured}
        profile={profile}
        opened={opened}
        used={uses.length > 0}
        onDone={(next) => next === name || go(`${workspace.path("identity", "inputs", next)}${query()}`)}
      />
    </Page>
  );
}

/** The address of a new feature of an input's rows. */
function withRows(address: string, input: string): string {
  return `${address}${address.includes("?") ? "&" : "?"}rows=${encodeURIComponent(input)}`;
}
