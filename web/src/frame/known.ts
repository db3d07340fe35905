import type { QueryClient } from "@tanstack/react-query";
import { status } from "../api/client";
import { keys } from "../queries";
import type { Place } from "./place";

const fresh = 2000; // ms, in which a page does not ask again for what was asked for ahead

/** What the frame asks of a place: on pages of a workspace of that one, else of all. */
export function statusAt({ organization, workspace }: Place, queries: QueryClient) {
  return {
    queryKey: keys.status(organization, workspace),
    queryFn: ({ signal }: { signal: AbortSignal }) => status(signal, workspace),
    staleTime: fresh,
    ...(workspace === undefined
      ? {}
      : { placeholderData: () => queries.getQueryData<Awaited<ReturnType<typeof status>>>(keys.status(organization)) }),
  };
}

const lastWorkspace = "weir workspace";

/** Keeps which workspace a person was in last. */
export function remember(workspace: string): void {
  localStorage.setItem(lastWorkspace, workspace);
}

/** The workspace that a person was in last. */
export function remembered(): string | undefined {
  return localStorage.getItem(lastWorkspace) ?? undefined;
}

const session = "weir session";

/** Keeps whether somebody is signed in as far as this browser knows; the session itself is out of scripts' reach. */
export function expectSession(is: boolean): void {
  if (is) localStorage.setItem(session, "1");
  else localStorage.removeItem(session);
}

/** Whether somebody was signed in when this browser was told last. */
export function sessionExpected(): boolean {
  return localStorage.getItem(session) !== null;
}
