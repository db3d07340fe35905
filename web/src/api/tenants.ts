import { done, http, settle } from "./client";
import type { components } from "./schema.gen";

export type Spec = components["schemas"]["Spec"];
/** Whether the rows of a source of this kind are pulled; others take what is sent to them. */
export const isPulled = (spec: Spec | undefined) => spec?.streams !== undefined || spec?.streamsOf !== undefined;
export type Field = components["schemas"]["Field"];
export type Organization = components["schemas"]["Organization"];
export type Member = components["schemas"]["Member"];
export type MemberInvitation = components["schemas"]["MemberInvitation"];
export type MadeInvitation = components["schemas"]["MadeInvitation"];
export type Token = components["schemas"]["Token"];
export type IssuedToken = components["schemas"]["IssuedToken"];
export type NewToken = components["schemas"]["NewToken"];
export type AuditPage = components["schemas"]["Audit"];
export type AuditEntry = AuditPage["entries"][number];
export type PasswordLink = components["schemas"]["PasswordLink"];
export type Invitation = components["schemas"]["Invitation"];

/** Every kind of source, destination and warehouse. */
export async function catalog(signal: AbortSignal): Promise<Spec[]> {
  return (await settle(http.GET("/api/v1/catalog", { signal }))).kinds;
}

/** The kind that the spec of a custom destination or source declares. A Problem whose fields are places in the spec. */
export async function readSpec(family: "destination" | "source", spec: string, signal?: AbortSignal): Promise<Spec> {
  return await settle(http.POST("/api/v1/catalog/custom", { body: { family, spec }, ...(signal ? { signal } : {}) }));
}

/** The organizations that the caller sees. */
export async function organizations(signal: AbortSignal): Promise<Organization[]> {
  return (await settle(http.GET("/api/v1/orgs", { signal }))).organizations;
}

export async function createOrganization(name: string): Promise<Organization> {
  return await settle(http.POST("/api/v1/orgs", { body: { name } }));
}

/** Everybody who has a role in the organization, and its service accounts. */
export async function members(signal: AbortSignal): Promise<Member[]> {
  const all: Member[] = [];
  for (let cursor = ""; ; ) {
    const query = cursor ? { cursor } : {};
    const page = await settle(http.GET("/api/v1/members", { params: { query }, signal }));
    all.push(...page.members);
    if (!page.next || page.next === cursor) return all;
    cursor = page.next;
  }
}

export async function memberInvitations(signal: AbortSignal): Promise<MemberInvitation[]> {
  return (await settle(http.GET("/api/v1/invitations", { signal }))).invitations;
}

/** Invites a person; the token of the answer is shown this once. workspace "" is all of the organization. */
export async function inviteMember(email: string, role: string, workspace: string): Promise<MadeInvitation> {
  return await settle(http.POST("/api/v1/invitations", { body: { email, role, ...(workspace ? { workspace } : {}) } }));
}

export async function takeBack(id: string): Promise<void> {
  await done(http.DELETE("/api/v1/invitations/{id}", { params: { path: { id } } }));
}

/** Gives a member a role in place of the one that it has there; object is the identifier of the only one in the workspace that it is for. */
export async function setRole(id: string, role: string, workspace: string, object = ""): Promise<void> {
  const body = { role, ...(workspace ? { workspace } : {}), ...(object ? { object } : {}) };
  await done(http.PUT("/api/v1/members/{id}/role", { params: { path: { id } }, body }));
}

/** Takes a member's role in one workspace or on one object of it, or all of them with "". */
export async function removeMember(id: string, workspace: string, object = ""): Promise<void> {
  const query = { ...(workspace ? { workspace } : {}), ...(object ? { object } : {}) };
  await done(http.DELETE("/api/v1/members/{id}", { params: { path: { id }, query } }));
}

export async function tokens(signal: AbortSignal): Promise<Token[]> {
  return (await settle(http.GET("/api/v1/tokens", { signal }))).tokens;
}

/** Makes a token; its value is shown this once. */
export async function createToken(wanted: NewToken): Promise<IssuedToken> {
  return await settle(http.POST("/api/v1/tokens", { body: wanted }));
}

export async function revokeToken(id: string): Promise<void> {
  await done(http.DELETE("/api/v1/tokens/{id}", { params: { path: { id } } }));
}

export type AuditFilter = {
  workspace?: string;
  actor?: string;
  action?: string;
  object?: string;
  withoutReads?: boolean;
};

/** A page of who wrote what, the newest first. */
export async function audit(filter: AuditFilter, cursor: string, signal: AbortSignal): Promise<AuditPage> {
  const query = { ...filter, limit: 50, ...(cursor ? { cursor } : {}) };
  return await settle(http.GET("/api/v1/audit", { params: { query }, signal }));
}

/** Invites a data plane; the token is good once, for an hour. */
export async function invitePlane(region: string, kind: "regional" | "private"): Promise<Invitation> {
  return await settle(http.POST("/api/v1/planes/invitations", { body: { region, kind } }));
}

/** Removes a workspace from its plane. */
export async function deleteWorkspace(name: string, number: number, discardParked: boolean): Promise<void> {
  const params = { path: { name }, header: { "If-Match": `"${number}"` }, query: { discardParked } };
  await done(http.DELETE("/api/v1/workspaces/{name}", { params }));
}

/** Uses an invitation, and signs in. */
export async function acceptInvitation(token: string, password: string, code: string): Promise<void> {
  await done(http.POST("/api/v1/invitations/accept", { body: { token, password, ...(code ? { code } : {}) } }));
}

/** Makes a link by which a member chooses a new password; its token is shown this once. */
export async function createPasswordLink(id: string): Promise<PasswordLink> {
  return await settle(http.POST("/api/v1/members/{id}/password", { params: { path: { id } } }));
}

/** Takes the authenticator of a member who lost it. */
export async function resetAuthenticator(id: string): Promise<void> {
  await done(http.DELETE("/api/v1/members/{id}/authenticator", { params: { path: { id } } }));
}
