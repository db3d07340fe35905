import { done, http, settle } from "./client";
import type { components } from "./schema.gen";

/** A role and its actions; a fixed one every organization has. */
export type Role = components["schemas"]["Roles"]["roles"][number];

/** What can be granted in the organization, fixed ones first. */
export async function roles(signal: AbortSignal): Promise<Role[]> {
  return (await settle(http.GET("/api/v1/roles", { signal }))).roles;
}

/** Makes a role, or gives one other actions, also where it is granted already. */
export async function setRole(name: string, actions: string[]): Promise<void> {
  await done(http.PUT("/api/v1/roles/{id}", { params: { path: { id: name } }, body: { actions } }));
}

/** Forgets a role that nobody has. */
export async function removeRole(name: string): Promise<void> {
  await done(http.DELETE("/api/v1/roles/{id}", { params: { path: { id: name } } }));
}
