import { QueryCache, QueryClient } from "@tanstack/react-query";
import { chosenOrganization } from "./api/organization";
import { Problem } from "./api/problem";

/** Keys of what is kept of the server's state. */
export const keys = {
  me: ["me"],
  /** Of the frame outside of workspaces, or with the name of a workspace, of that one; the beginning of all of a status. */
  status: (organization = chosenOrganization(), workspace?: string) => [
    "status",
    organization,
    ...(workspace === undefined ? [] : [workspace]),
  ],
  wholeStatus: () => ["status", chosenOrganization(), "", "whole"],
  planeStatus: (plane: string) => ["status", chosenOrganization(), "", "plane", plane],
  workspaces: () => ["workspaces", chosenOrganization()],
  organizations: ["organizations"],
  authenticator: ["authenticator"],
  sessions: ["sessions"],
  ownTokens: ["own tokens"],
  catalog: ["catalog"],
  members: () => ["members", chosenOrganization()],
  invitations: () => ["invitations", chosenOrganization()],
  tokens: () => ["tokens", chosenOrganization()],
  signIn: () => ["sign-in", chosenOrganization()],
  provider: () => ["identity-provider", chosenOrganization()],
  roles: () => ["roles", chosenOrganization()],
  changes: (filter?: string) => ["changes", chosenOrganization(), ...(filter === undefined ? [] : [filter])],
  change: (workspace: string, number: number) => ["changes", chosenOrganization(), workspace, number],
  policies: () => ["policies", chosenOrganization()],
  policy: (name: string) => ["policies", chosenOrganization(), name],
  audit: (filter: string) => ["audit", chosenOrganization(), filter],
  revisions: (workspace: string) => ["revisions", chosenOrganization(), workspace],
  revision: (workspace: string, number: number) => ["revision", chosenOrganization(), workspace, number],
  arrivals: (workspace: string) => ["arrivals", chosenOrganization(), workspace],
  ledger: (workspace: string) => ["ledger", chosenOrganization(), workspace],
  config: (workspace: string) => ["config", chosenOrganization(), workspace],
  held: (workspace: string, shelf: string, only: string, ended: number) => [
    "held",
    chosenOrganization(),
    workspace,
    shelf,
    only,
    ended,
  ],
  pulls: (workspace: string) => ["pulls", chosenOrganization(), workspace],
  profiles: (workspace: string) => ["profiles", chosenOrganization(), workspace],
  syncs: (workspace: string) => ["syncs", chosenOrganization(), workspace],
  jobs: (workspace: string) => ["jobs", chosenOrganization(), workspace],
  loads: (workspace: string, destination: string) => ["loads", chosenOrganization(), workspace, destination],
};

/** A cache that asks again only where it may help, and that notices an ended session. */
export function newQueries(): QueryClient {
  const client: QueryClient = new QueryClient({
    queryCache: new QueryCache({
      onError: (e) => {
        if (e instanceof Problem && e.status === 401 && !e.ofPlane) client.setQueryData(keys.me, null);
      },
    }),
    defaultOptions: {
      queries: { retry: false, refetchOnWindowFocus: true, networkMode: "always" },
      mutations: { networkMode: "always" },
    },
  });
  return client;
}
