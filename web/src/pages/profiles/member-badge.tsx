import type { Configured } from "../../draft/configured";
import { Badge } from "../../parts/badge";
import { type List, memberState } from "./use-member";
import type { Profile } from "./use-set";

/** Says that a feature, a score or an audience, or a change of it, is not published yet. */
export function MemberBadge(of: { configured: Configured; profile: Profile; list: List; name: string }) {
  const state = memberState(of.configured, of.profile, of.list, of.name);
  if (!state) return null;
  return <Badge tone="quiet">{state === "new" ? "Draft" : "Changed, not published"}</Badge>;
}
