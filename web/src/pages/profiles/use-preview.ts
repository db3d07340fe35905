import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { previewOf, type Unsaved } from "../../api/profiles";
import { useWorkspace } from "../../frame/place";
import { useSettled } from "../../parts/settled";
import { keys } from "../../queries";

/** What a feature or an audience would be, as the plane computes it from rows of today; what is absent is not asked for. */
export function usePreview(profile: string, name: string, unsaved: Unsaved | undefined) {
  const { name: workspace } = useWorkspace();
  const text = useSettled(unsaved ? JSON.stringify([name, unsaved]) : "");
  return useQuery({
    queryKey: [...keys.profiles(workspace), "preview", profile, text],
    queryFn: ({ signal }) => {
      const [of, draft] = JSON.parse(text) as [string, Unsaved];
      return previewOf(workspace, profile, of, draft, signal);
    },
    enabled: text !== "",
    placeholderData: keepPreviousData,
    staleTime: 30_000,
  });
}
