import { config } from "../api/client";
import { keys } from "../queries";

/** How a workspace's published configuration is asked for. */
export function configOf(workspace: string) {
  return {
    queryKey: keys.config(workspace),
    queryFn: ({ signal }: { signal: AbortSignal }) => config(workspace, signal),
    staleTime: 2000, // ms
  };
}
