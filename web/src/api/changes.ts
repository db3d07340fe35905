import { done, http, settle } from "./client";
import type { components } from "./schema.gen";

/** A commit that waits for another person, or waited. */
export type ChangeRequest = components["schemas"]["ChangeRequest"];
export type Need = components["schemas"]["Need"];
export type ChangeState = ChangeRequest["state"];

export type ChangeFilter = { state?: ChangeState; workspace?: string };

/** A page of the changes of the workspaces that the caller may read, the newest first. */
export async function changeRequests(filter: ChangeFilter, cursor: string, signal: AbortSignal) {
  const query = { ...filter, limit: 50, ...(cursor ? { cursor } : {}) };
  return await settle(http.GET("/api/v1/changes", { params: { query }, signal }));
}

const at = (workspace: string, number: number) => ({ params: { path: { name: workspace, number } } });
const noted = (note: string) => ({ body: note.trim() === "" ? {} : { note: note.trim() } });

/** One change, with what differs as it was and as it would be. */
export async function changeRequest(workspace: string, number: number, signal: AbortSignal): Promise<ChangeRequest> {
  return await settle(http.GET("/api/v1/workspaces/{name}/changes/{number}", { ...at(workspace, number), signal }));
}

/** Makes a change the next revision of its workspace, whose number is returned. */
export async function approve(workspace: string, number: number, note: string): Promise<number> {
  const path = "/api/v1/workspaces/{name}/changes/{number}/approve";
  return (await settle(http.POST(path, { ...at(workspace, number), ...noted(note) }))).number;
}

export async function reject(workspace: string, number: number, note: string): Promise<void> {
  const path = "/api/v1/workspaces/{name}/changes/{number}/reject";
  await done(http.POST(path, { ...at(workspace, number), ...noted(note) }));
}

/** Takes the caller's own change back. */
export async function withdraw(workspace: string, number: number, note: string): Promise<void> {
  const path = "/api/v1/workspaces/{name}/changes/{number}/withdraw";
  await done(http.POST(path, { ...at(workspace, number), ...noted(note) }));
}
