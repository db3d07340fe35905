import type { Role } from "../../api/roles";
import type { Member } from "../../api/tenants";

export type Grant = Member["roles"][number];
/** A member with the roles that count for an object. */
export type Right = { member: Member; grants: Grant[] };

/** Who has a role that counts for an object of a workspace: in the organization, in the workspace, or on the object alone. */
export function rightsOn(members: readonly Member[], workspace: string, id: string | undefined): Right[] {
  return members
    .map((member) => ({
      member,
      grants: member.roles.filter(
        (g) => (!g.workspace || g.workspace === workspace) && (!g.object || (id !== undefined && g.object === id)),
      ),
    }))
    .filter((r) => r.grants.length > 0);
}

/** Where a role was given, in words. */
export function why(g: Grant, kind: string): string {
  if (g.object) return `on this ${kind} alone`;
  return g.workspace ? "in this workspace" : "in the organization";
}

const words = [
  { action: "workspace:write", text: "change it" },
  { action: "change:approve", text: "approve changes" },
  { action: "capability:live:read", text: "see its events" },
  { action: "capability:dead:redrive", text: "send failed events again" },
];

/** What roles let do with an object, in a sentence. */
export function mayHere(grants: readonly Grant[], roles: readonly Role[]): string {
  const may = words.filter((w) =>
    grants.some((g) => {
      // On a single object a role changes it, and reads nothing beyond that.
      if (g.object && w.action !== "workspace:write") return false;
      return roles.find((r) => r.name === g.role)?.actions.includes(w.action);
    }),
  );
  const texts = may.map((w) => w.text);
  if (grants.some((g) => !g.object)) texts.unshift("read it");
  return texts.join(", ") || "–";
}
