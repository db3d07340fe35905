import { useMutation } from "@tanstack/react-query";
import { useState } from "react";
import { difference } from "../../api/drafts";
import type { Configured } from "../../draft/configured";
import { merge, withEdit } from "../../draft/edits";
import { publishedOf } from "../object/use-add";
import type { Profile } from "./use-set";

/** The lists of a profile whose members have pages; inputs are beside the rules of identity. */
export type List = "features" | "scores" | "audiences" | "inputs";

/** One of a list. */
export type Member<L extends List> = NonNullable<Profile[L]>[number];

type Wanted<L extends List> = {
  list: L;
  configured: Configured;
  profile: Profile;
  /** The member's name when the form opened; absent for a new one. */
  was: string | undefined;
  onDone: (name: string) => void;
};

type Adding<L extends List> = {
  object: Member<L>;
  found: Record<string, string>;
  /** What else of the profile changes with it. */
  also?: ((p: Profile) => Profile) | undefined;
};

/**
 * Puts a feature, a score, an audience or an input into the draft of its profile once the control plane finds nothing wrong; what it
 * finds stands under the member's fields, "" for the whole.
 */
export function useMember<L extends List>({ list, configured, profile, was, onDone }: Wanted<L>) {
  const [problems, setProblems] = useState<Readonly<Record<string, string>>>({});
  const add = useMutation({
    mutationFn: async ({ object, found, also = (p) => p }: Adding<L>) => {
      if (Object.keys(found).length > 0) return void setProblems(found);
      const next = also(withMember(profile, list, was, object));
      const base = publishedOf(configured, "profile", profile.name) ?? null;
      const edits = withEdit(configured.draft.edits, { kind: "profile", key: profile.name, base, next });
      const { document } = merge(configured.published, edits);
      const said = await difference({ document, discardParked: true });
      const at = (document.profiles ?? []).findIndex((p) => p.name === profile.name);
      const own = (document.profiles?.[at]?.[list] ?? []).findIndex((m) => m.name === object.name);
      const before = `profiles[${at}].`;
      const mine: Record<string, string> = {};
      for (const p of said.problems) {
        if (!p.path.startsWith(before)) continue;
        const [, field] = p.path.split(`${before}${list}[${own}]`);
        if (field !== undefined) mine[field.replace(/^\./, "")] ??= p.text;
        else if ((was !== undefined && was !== object.name) || list === "inputs")
          mine[""] ??= `${p.text} (${p.path.slice(before.length)})`;
      }
      setProblems(mine);
      if (Object.keys(mine).length > 0) return undefined;
      configured.edit("profile", profile.name, base, next);
      return object.name;
    },
    onSuccess: (name) => {
      if (name !== undefined) onDone(name);
    },
  });
  return { add, problems };
}

/** A profile with a member put in the place of a former one, or at the end. */
export function withMember<L extends List>(
  profile: Profile,
  list: L,
  was: string | undefined,
  next: Member<L>,
): Profile {
  const all = (profile[list] ?? []) as Member<L>[];
  const there = all.some((m) => m.name === was);
  return { ...profile, [list]: there ? all.map((m) => (m.name === was ? next : m)) : [...all, next] };
}

/** Takes a member out of its profile, in the draft. */
export function takeMember(configured: Configured, profile: Profile, list: List, name: string): void {
  const base = publishedOf(configured, "profile", profile.name) ?? null;
  const next = { ...profile, [list]: (profile[list] ?? []).filter((m) => m.name !== name) };
  configured.edit("profile", profile.name, base, next);
}

/** Whether a member is new, changed or as it is published. */
export function memberState(configured: Configured, profile: Profile, list: List, name: string) {
  const published = configured.published.profiles?.find((p) => p.name === profile.name);
  const then = published?.[list]?.find((m) => m.name === name);
  if (!then) return "new" as const;
  const now = profile[list]?.find((m) => m.name === name);
  return JSON.stringify(then) === JSON.stringify(now) ? undefined : ("changed" as const);
}

/** What is wrong with the name of a feature, score, audience, identifier or input; "" for nothing. */
export function wrongMemberName(name: string, taken: readonly string[]): string {
  if (name === "") return "Give it a name.";
  if (!/^[a-z][a-z0-9_]*$/.test(name) || name.length > 60)
    return "Use small letters, digits and _, a letter first, such as tickets_7d.";
  return taken.includes(name) ? "There is one of this name already." : "";
}
