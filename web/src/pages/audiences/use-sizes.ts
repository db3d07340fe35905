import { useQuery } from "@tanstack/react-query";
import { sizes } from "../../api/profiles";
import { useWorkspace } from "../../frame/place";
import { keys } from "../../queries";
import type { Profile } from "../profiles/use-set";

const refreshEvery = 10_000; // ms; runs of profiles are minutes apart

/** How large the audiences of a profile are, as its last run left them. */
export function useSizes(profile: Profile | undefined) {
  const { name } = useWorkspace();
  return useQuery({
    queryKey: [...keys.profiles(name), "sizes", profile?.name],
    queryFn: ({ signal }) => sizes(name, profile?.name ?? "", signal),
    enabled: profile !== undefined,
    refetchInterval: refreshEvery,
  });
}
