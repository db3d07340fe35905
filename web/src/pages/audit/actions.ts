const words: Record<string, string> = {
  "capability.issue": "Got leave to ask a plane",
  "grant.remove": "Took a role",
  "grant.set": "Gave a role",
  "invitation.accept": "Accepted an invitation",
  "invitation.create": "Invited a member",
  "invitation.delete": "Took an invitation back",
  "login.allow": "Let a program in",
  "login.refuse": "Refused a program",
  "login.use": "A program signed in",
  "member.create": "Made a service account",
  "member.remove": "Removed a member",
  "organization.create": "Made an organization",
  "plane.ack": "Answered to a revision",
  "plane.change": "Changed a data plane",
  "plane.invite": "Invited a data plane",
  "plane.join": "Joined as a data plane",
  "plane.remove": "Removed a data plane",
  "policy.remove": "Removed a policy",
  "policy.set": "Set a policy",
  "role.remove": "Removed a role of the organization's own",
  "role.set": "Set a role of the organization's own",
  "session.create": "Signed in",
  "session.delete": "Signed out",
  "session.refuse": "Failed to sign in",
  "session.renew": "Renewed a session",
  "token.create": "Made a token",
  "token.delete": "Revoked a token",
  "user.create": "Made an account",
  "user.password": "Changed a password",
  "workspace.commit": "Published a revision",
  "workspace.delete": "Removed a workspace",
  "workspace.raise": "Raised a revision's number",
};

/** An action of the audit log in words; one that is not known is split into its own. */
export function actionText(action: string): string {
  const known = words[action];
  if (known) return known;
  const [of = "", did = ""] = action.split(".");
  const text = `${of.replaceAll("_", " ")}: ${did.replaceAll("_", " ")}`;
  return text.charAt(0).toUpperCase() + text.slice(1);
}
