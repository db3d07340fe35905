const words: Record<string, string> = {
  "workspace.commit": "Published a revision",
  "workspace.create": "Made a workspace",
  "workspace.delete": "Removed a workspace",
  "workspace.rollback": "Restored a revision",
  "token.create": "Made a token",
  "token.delete": "Revoked a token",
  "plane.invite": "Invited a data plane",
  "plane.join": "A data plane joined",
  "plane.delete": "Removed a data plane",
  "member.invite": "Invited a member",
  "member.remove": "Removed a member",
  "member.role": "Gave a role",
  "capability.create": "Got leave to ask a plane",
  "organization.create": "Made an organization",
};

/** An action of the audit log in words; one that is not known is split into its own. */
export function actionText(action: string): string {
  const known = words[action];
  if (known) return known;
  const [of = "", did = ""] = action.split(".");
  const text = `${of.replaceAll("_", " ")}: ${did.replaceAll("_", " ")}`;
  return text.charAt(0).toUpperCase() + text.slice(1);
}
