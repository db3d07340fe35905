import { useQuery } from "@tanstack/react-query";
import { wholeStatus, workspaceNames } from "../api/client";
import { keys } from "../queries";

const fresh = 30_000; // ms; notices tell of others sooner

/** The workspaces of the organization that the caller may read, by name, without what is in them. */
export function useWorkspaces(enabled = true) {
  return useQuery({
    queryKey: keys.workspaces(),
    queryFn: ({ signal }) => workspaceNames(signal),
    staleTime: fresh,
    enabled,
  });
}

const again = 60_000; // ms; notices tell sooner

/** Every plane and every workspace with what planes report; only for pages that show all of it. */
export function useWholeStatus(enabled = true) {
  return useQuery({
    queryKey: keys.wholeStatus(),
    queryFn: ({ signal }) => wholeStatus({}, signal),
    staleTime: 2000,
    refetchInterval: again,
    enabled,
  });
}
