import { http, settle, type WorkspaceDocument } from "./client";
import type { components } from "./schema.gen";

export type Change = components["schemas"]["Change"];
export type Difference = components["schemas"]["Difference"];
export type Revision = components["schemas"]["Revision"];
export type Applied = components["schemas"]["Applied"];

/** A whole configuration that somebody wants; discardParked goes on although deliveries wait for what is removed. */
export type Proposal = { document: WorkspaceDocument; discardParked: boolean };

/** What publishing would change, and every problem that would stop it. */
export async function difference({ document, discardParked }: Proposal, signal?: AbortSignal): Promise<Difference> {
  const params = { path: { name: document.workspace } };
  const body = { document, prune: true, discardParked };
  return await settle(http.POST("/api/v1/workspaces/{name}/diff", { params, body, ...(signal ? { signal } : {}) }));
}

/**
 * Makes a configuration the next revision. etag is of the revision that it was made from; key tells a repeated call
 * from a new one. A Problem of status 412 when somebody else was faster.
 */
export async function publish(p: Proposal, etag: string, key: string, reason: string): Promise<Applied> {
  const params = { path: { name: p.document.workspace }, header: { "If-Match": etag, "Idempotency-Key": key } };
  const body = { document: p.document, prune: true, discardParked: p.discardParked, ...(reason ? { reason } : {}) };
  return await settle(http.PUT("/api/v1/workspaces/{name}/config", { params, body }));
}

/** A page of a workspace's revisions, the newest first. */
export async function revisions(name: string, cursor: string, signal: AbortSignal) {
  const params = { path: { name }, query: { limit: 50, ...(cursor ? { cursor } : {}) } };
  return await settle(http.GET("/api/v1/workspaces/{name}/revisions", { params, signal }));
}

/** One revision, with what it changed as it was and as it is since. */
export async function revision(name: string, number: number, signal: AbortSignal): Promise<Revision> {
  const params = { path: { name, number } };
  return await settle(http.GET("/api/v1/workspaces/{name}/revisions/{number}", { params, signal }));
}

/** Makes the configuration of a former revision the next one. */
export async function restore(name: string, to: number, newest: number, reason: string): Promise<Applied> {
  const params = {
    path: { name },
    header: { "If-Match": `"${newest}"`, "Idempotency-Key": crypto.randomUUID?.() ?? `${Date.now()}` },
  };
  return await settle(http.POST("/api/v1/workspaces/{name}/rollback", { params, body: { to, reason } }));
}
