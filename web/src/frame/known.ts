import type { QueryClient } from "@tanstack/react-query";
import { type Status, status } from "../api/client";
import { chosenOrganization } from "../api/organization";
import { keys } from "../queries";
import type { Place } from "./place";

const fresh = 2000; // ms, in which a page does not ask again for what was asked for ahead

/**
 * What the frame asks of a place: every plane, and on pages of a workspace that one, else the organization's first.
 * Until it is there, what other places were told of the same stands for it; next says then that there may be more.
 */
export function statusAt({ organization, workspace }: Pick<Place, "organization" | "workspace">, queries: QueryClient) {
  return {
    queryKey: keys.status(organization, workspace),
    queryFn: ({ signal }: { signal: AbortSignal }) => status(signal, workspace),
    staleTime: fresh,
    placeholderData: () => {
      const known = queries.getQueriesData<Status>({ queryKey: keys.status(organization) });
      for (const [, all] of known) {
        if (!all) continue;
        const mine = all.workspaces.filter((w) => workspace === undefined || w.name === workspace);
        if (mine.length > 0 || workspace === undefined) return { ...all, workspaces: mine, next: "more" };
      }
      return undefined;
    },
  };
}

const kept = (organization: string) => `weir workspace${organization === "" ? "" : ` ${organization}`}`;

/** Keeps which workspace of the chosen organization a person was in last. */
export function remember(workspace: string): void {
  localStorage.setItem(kept(chosenOrganization()), workspace);
}

/** The workspace of an organization that a person was in last. */
export function remembered(organization = chosenOrganization()): string | undefined {
  return localStorage.getItem(kept(organization)) ?? undefined;
}

/** Forgets a workspace that is not there any more. */
export function forget(workspace: string): void {
  if (remembered() === workspace) localStorage.removeItem(kept(chosenOrganization()));
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
