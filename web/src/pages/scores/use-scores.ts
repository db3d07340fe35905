import { useQuery } from "@tanstack/react-query";
import { profiles, type Standing } from "../../api/customers";
import { spreads } from "../../api/profiles";
import { useWorkspace } from "../../frame/place";
import { keys } from "../../queries";
import type { Profile } from "../profiles/use-set";

const refreshEvery = 10_000; // ms

/** How the profiles of a plane stand, with their last run. */
export function useStanding(profile: Profile | undefined) {
  const { name } = useWorkspace();
  const query = useQuery({
    queryKey: keys.profiles(name),
    queryFn: ({ signal }) => profiles(name, signal),
    enabled: profile !== undefined,
    refetchInterval: refreshEvery,
  });
  const last = query.data?.find((p) => p.name === profile?.name)?.last;
  const all = Object.values(last?.built ?? {}).flatMap((b) => b.scores ?? []);
  return { query, last, of: (score: string): Standing | undefined => all.find((s) => s.name === score) };
}

/** How the scores of published profiles lie over customers, as the last run left them. */
export function useSpreads(profile: Profile | undefined) {
  const { name } = useWorkspace();
  return useQuery({
    queryKey: [...keys.profiles(name), "scores", profile?.name],
    queryFn: ({ signal }) => spreads(name, profile?.name ?? "", signal),
    enabled: profile !== undefined,
    staleTime: 30_000,
  });
}
