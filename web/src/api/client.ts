import createClient from "openapi-fetch";
import { scoped } from "./organization";
import { Problem, problemOf, unreachable } from "./problem";
import type { components, paths } from "./schema.gen";

export type Me = components["schemas"]["Me"];
export type Status = components["schemas"]["Status"];
export type Plane = components["schemas"]["Plane"];
export type Alarm = components["schemas"]["Alarm"];
export type Workspace = components["schemas"]["Workspace"];
export type Source = components["schemas"]["SourceSummary"];
export type Destination = components["schemas"]["DestinationSummary"];
export type WorkspaceDocument = components["schemas"]["Document"];
export type Transformation = components["schemas"]["Transformation"];
export type Connection = components["schemas"]["Connection"];
export type NewCapability = components["schemas"]["NewCapability"];
export type Capability = components["schemas"]["Capability"];
export type State = components["schemas"]["State"];

// The header makes unsafe calls impossible for other sites' pages. fetch is looked up at each call.
export const http = createClient<paths>({
  baseUrl: globalThis.location.origin,
  headers: { "X-Weir-CSRF": "1" },
  fetch: (request) => globalThis.fetch(scoped(request)),
});

type Answer<T> = { data?: T; error?: unknown; response: Response };

/** Waits for a call whose answer is empty; throws a Problem when it failed. */
export async function done(call: Promise<Answer<unknown>>): Promise<void> {
  const answer = await call.catch(() => {
    throw unreachable();
  });
  if (!answer.response.ok) throw problemOf(answer.response.status, answer.error);
}

/** Returns the answer's data, or throws a Problem. */
export async function settle<T>(call: Promise<Answer<T>>): Promise<T> {
  const answer = await call.catch((e: unknown) => {
    throw e instanceof Problem ? e : unreachable();
  });
  if (!answer.response.ok) throw problemOf(answer.response.status, answer.error);
  if (answer.data === undefined) throw problemOf(answer.response.status, undefined);
  return answer.data;
}

/** The caller, or null when nobody is signed in. */
export async function me(signal?: AbortSignal): Promise<Me | null> {
  try {
    return await settle(http.GET("/api/v1/me", signal ? { signal } : {}));
  } catch (e) {
    if (e instanceof Problem && e.status === 401) return null;
    throw e;
  }
}

/** Whether a Problem asks for a one-time code: the account has an authenticator. */
export function asksForCode(e: unknown): boolean {
  return e instanceof Problem && e.fields.some((f) => f.code === "code_needed" || f.code === "wrong_code");
}

/** Signs in; a Problem of status 401 when email and password do not belong together, or asksForCode. */
export async function login(email: string, password: string, code?: string): Promise<void> {
  try {
    await settle(http.POST("/api/v1/login", { body: { email, password, ...(code ? { code } : {}) } }));
  } catch (e) {
    if (!(e instanceof Problem) || e.status !== 401) throw e;
    if (asksForCode(e)) throw new Problem(401, e.message, e.fields[0]?.text ?? "", e.fields);
    throw new Problem(401, e.message, "Check both, then try again. Capital letters count in the password.");
  }
}

/** Where to sign in at an organization's identity provider. It leads back to a page of the console. */
export async function beginProvider(organization: string, back: string): Promise<string> {
  return (await settle(http.POST("/api/v1/login/oidc", { body: { organization, back } }))).url;
}

/** Ends the session. One that is over already is no problem. */
export async function logout(): Promise<void> {
  const answer = await http.POST("/api/v1/logout").catch(() => {
    throw unreachable();
  });
  if (!answer.response.ok && answer.response.status !== 401) throw problemOf(answer.response.status, answer.error);
}

/** Every plane, and the workspace of a name, or without one the first there is; next is not "" then if there are more. */
export async function status(signal?: AbortSignal, name?: string): Promise<Status> {
  const query = name === undefined ? { limit: 1 } : { name: [name] };
  return await settle(http.GET("/api/v1/status", { params: { query }, ...(signal ? { signal } : {}) }));
}

/** A workspace without what is in it. */
export type NamedWorkspace = Pick<Workspace, "id" | "name" | "region">;

/** The workspaces of the organization that the caller may read, by name. */
export async function workspaceNames(signal?: AbortSignal): Promise<NamedWorkspace[]> {
  const all: NamedWorkspace[] = [];
  let cursor = "";
  do {
    const params = { query: { brief: true, ...(cursor === "" ? {} : { cursor }) } };
    const page = await settle(http.GET("/api/v1/workspaces", { params, ...(signal ? { signal } : {}) }));
    all.push(...page.workspaces);
    cursor = page.next ?? "";
  } while (cursor !== "");
  return all;
}

/** Every plane and workspace, with what the planes report; with a plane, every plane and the workspaces on it. */
export async function wholeStatus(only: { plane?: string } = {}, signal?: AbortSignal): Promise<Status> {
  const all: Status = { planes: [], workspaces: [], next: "" };
  do {
    const params = { query: { ...only, ...(all.next === "" ? {} : { cursor: all.next }) } };
    const page = await settle(http.GET("/api/v1/status", { params, ...(signal ? { signal } : {}) }));
    if (all.next === "") all.planes = page.planes;
    else
      for (const p of all.planes) {
        const more = page.planes.find((other) => other.id === p.id);
        p.workspaces.push(...(more?.workspaces ?? []));
        p.counts.push(...(more?.counts ?? []));
      }
    all.workspaces.push(...page.workspaces);
    all.next = page.next ?? "";
  } while (all.next !== "");
  return all;
}

/** Removes a data plane on which no workspace is. Its hub admits it no more. */
export async function removePlane(plane: string): Promise<void> {
  await done(http.DELETE("/api/v1/planes/{plane}", { params: { path: { plane } } }));
}

/** A fresh capability for one action on a workspace's plane. */
export async function createCapability(wanted: NewCapability): Promise<Capability> {
  return await settle(http.POST("/api/v1/capabilities", { body: wanted }));
}

/** A workspace's configuration, and the tag of the revision that it is. */
export type Config = { document: WorkspaceDocument; etag: string };

/** The newest configuration of a workspace. */
export async function config(name: string, signal?: AbortSignal): Promise<Config> {
  const call = http.GET("/api/v1/workspaces/{name}/config", {
    params: { path: { name } },
    ...(signal ? { signal } : {}),
  });
  const document = await settle(call);
  return { document, etag: (await call).response.headers.get("ETag") ?? "" };
}

/** Commits a changed configuration; what it does not name stays. A Problem of status 412 when somebody else was faster. */
export async function apply({ document, etag }: Config): Promise<number> {
  const params = { path: { name: document.workspace }, header: { "If-Match": etag } };
  const body = { document, prune: false, discardParked: false };
  const done = await settle(http.PUT("/api/v1/workspaces/{name}/config", { params, body }));
  return done.number;
}
