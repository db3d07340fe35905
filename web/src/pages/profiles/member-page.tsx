import { useParams } from "@tanstack/react-router";
import type { ReactNode } from "react";
import { type Configured, useConfigured } from "../../draft/configured";
import { useWorkspace } from "../../frame/place";
import { Page } from "../../parts/page";
import { Loaded } from "../loaded";
import { Missing, type Up, upOf } from "../object/object-page";
import { NoProfiles } from "./no-profiles";
import type { List, Member } from "./use-member";
import { type Profile, useSet } from "./use-set";

/** Where a member's page stands: its set of profiles, the address's query that names the set, and the list above. */
export type At = { configured: Configured; profile: Profile; query: string; up: Up };

type Props<L extends List> = {
  list: L;
  /** What a new one is to say. */
  hint: string;
  /** The form of a new one. */
  fresh: (at: At) => ReactNode;
  children: (member: Member<L>, at: At) => ReactNode;
};

/** The page of the feature, score or audience that the address names, or of a new one. */
export function MemberPage<L extends List>(props: Props<L>) {
  const { name } = useParams({ strict: false });
  const workspace = useWorkspace();
  const configured = useConfigured(workspace.name);
  const kind = props.list.slice(0, -1);
  const page = { title: name ?? `New ${kind}`, up: upOf(props.list, workspace.path(props.list)) };
  return (
    <Loaded query={configured} what={`the ${kind}`} page={page}>
      {(c) => <Chosen {...props} configured={c} kind={kind} name={name} />}
    </Loaded>
  );
}

type Choice<L extends List> = Props<L> & { configured: Configured; kind: string; name: string | undefined };

function Chosen<L extends List>({ list, hint, fresh, children, configured, kind, name }: Choice<L>) {
  const workspace = useWorkspace();
  const { profile, query: queryOf } = useSet(configured);
  const query = queryOf();
  const up = upOf(list, `${workspace.path(list)}${query}`);
  if (!profile)
    return (
      <Page title={name ?? `New ${kind}`} up={up}>
        <NoProfiles />
      </Page>
    );
  const at = { configured, profile, query, up };
  if (name === undefined)
    return (
      <Page title={`New ${kind}`} of={workspace.name} up={up} hint={hint}>
        {fresh(at)}
      </Page>
    );
  const members: readonly Member<L>[] = profile[list] ?? [];
  const member = members.find((m) => m.name === name);
  return member ? children(member, at) : <Missing kind={kind} name={name} within={profile.name} up={up} />;
}
