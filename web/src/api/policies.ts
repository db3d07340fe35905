import { done, http, settle } from "./client";
import type { components } from "./schema.gen";

export type Policy = components["schemas"]["Policy"];
export type Policies = components["schemas"]["Policies"];
export type Language = Policy["language"];
export type Verdict = components["schemas"]["PolicyVerdict"];

/** The organization's policies without their texts, and the names of the operator's. */
export async function policies(signal: AbortSignal): Promise<Policies> {
  return await settle(http.GET("/api/v1/policies", { signal }));
}

/** One policy with its text. */
export async function policy(name: string, signal: AbortSignal): Promise<Policy> {
  return await settle(http.GET("/api/v1/policies/{id}", { params: { path: { id: name } }, signal }));
}

/** Makes a policy, or puts it in the place of the one of its name. A Problem lists what is broken. */
export async function setPolicy(name: string, language: Language, text: string, enabled: boolean): Promise<void> {
  const params = { path: { id: name } };
  await done(http.PUT("/api/v1/policies/{id}", { params, body: { language, text, enabled } }));
}

/** Has a policy be asked, or kept and not asked. */
export async function enablePolicy(name: string, enabled: boolean): Promise<void> {
  await done(http.PUT("/api/v1/policies/{id}", { params: { path: { id: name } }, body: { enabled } }));
}

export async function removePolicy(name: string): Promise<void> {
  await done(http.DELETE("/api/v1/policies/{id}", { params: { path: { id: name } } }));
}

/** What a policy, which need not be set, has against a workspace as it is. A Problem when it is broken. */
export async function tryPolicy(workspace: string, name: string, language: Language, text: string): Promise<Verdict> {
  const params = { path: { name: workspace } };
  const body = { ...(name ? { name } : {}), language, text };
  return await settle(http.POST("/api/v1/workspaces/{name}/policy-test", { params, body }));
}
