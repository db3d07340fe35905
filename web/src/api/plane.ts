import { type Capability, createCapability, type NewCapability } from "./client";
import { chosenOrganization } from "./organization";
import { Problem, problemOf } from "./problem";
import { whyUnreachable } from "./reach";

export type Action = NewCapability["action"];

/** One action on one workspace; what a capability is good for. */
export type Scope = { workspace: string; action: Action };

const renewBefore = 30_000; // ms before a capability ends

const held = new Map<string, Promise<Capability>>();

/** Forgets every capability; for when somebody signs out. */
export function forgetCapabilities(): void {
  held.clear();
}

function keyOf(scope: Scope): string {
  return `${scope.action} ${chosenOrganization()}/${scope.workspace}`;
}

/** A capability that is good for half a minute at least, asked for once and shared. */
export async function capability(scope: Scope): Promise<Capability> {
  const key = keyOf(scope);
  const known = await held.get(key)?.catch(() => undefined);
  if (known && Date.parse(known.expiresAt) - Date.now() > renewBefore) return known;
  const asked = createCapability({ ...scope, origin: location.origin });
  held.set(key, asked);
  asked.catch(() => held.delete(key));
  return asked;
}

export type Call = { path: string; query?: URLSearchParams; body?: unknown; signal?: AbortSignal };

/**
 * Asks a workspace's plane and returns its answer, which is good.
 * Unreachable when nothing answered, a Problem for every other failure; the signal's reason when it ended the call.
 */
export async function ask(scope: Scope, call: Call): Promise<Response> {
  const first = await send(await capability(scope), call);
  if (first.status !== 401) return settled(first);
  held.delete(keyOf(scope)); // the plane's clock is ahead, or its keys are new
  return settled(await send(await capability(scope), call));
}

async function send(c: Capability, { path, query, body, signal }: Call): Promise<Response> {
  const text = query?.toString() ?? "";
  const url = `${c.viewUrl.replace(/\/+$/, "")}${path}${text === "" ? "" : `?${text}`}`;
  const headers: Record<string, string> = { Authorization: `Bearer ${c.token}` };
  if (body !== undefined) headers["Content-Type"] = "application/json";
  try {
    return await globalThis.fetch(
      new Request(url, {
        method: body === undefined ? "GET" : "POST",
        headers,
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        ...(signal ? { signal } : {}),
      }),
    );
  } catch (e) {
    signal?.throwIfAborted();
    throw e instanceof Problem ? e : await whyUnreachable(c.viewUrl);
  }
}

async function settled(answer: Response): Promise<Response> {
  if (answer.ok) return answer;
  const body: unknown = await answer.json().catch(() => undefined);
  throw problemOf(answer.status, body, "data plane");
}
