import { QueryCache, QueryClient } from "@tanstack/react-query";
import { Problem } from "./api/problem";

/** Keys of what is kept of the server's state. */
export const keys = {
  me: ["me"],
  status: ["status"],
  config: (workspace: string) => ["config", workspace],
  held: (workspace: string, shelf: string, only: string, ended: number) => ["held", workspace, shelf, only, ended],
  jobs: (workspace: string) => ["jobs", workspace],
  loads: (workspace: string, destination: string) => ["loads", workspace, destination],
};

/** A cache that asks again only where it may help, and that notices an ended session. */
export function newQueries(): QueryClient {
  const client: QueryClient = new QueryClient({
    queryCache: new QueryCache({
      onError: (e) => {
        if (e instanceof Problem && e.status === 401) client.setQueryData(keys.me, null);
      },
    }),
    defaultOptions: {
      queries: { retry: false, refetchOnWindowFocus: true, networkMode: "always" },
      mutations: { networkMode: "always" },
    },
  });
  return client;
}
