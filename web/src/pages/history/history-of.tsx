import { useInfiniteQuery } from "@tanstack/react-query";
import { type Change, type Revision, revisions } from "../../api/drafts";
import type { Kind } from "../../draft/edits";
import { changeText } from "../../draft/words";
import { useWorkspace } from "../../frame/place";
import { actorText } from "../../parts/actor";
import { Button } from "../../parts/button";
import { Link } from "../../parts/link";
import { When } from "../../parts/when";
import { keys } from "../../queries";
import { Loaded } from "../loaded";

/** The revisions of a workspace, page by page. */
export function useRevisions(workspace: string) {
  return useInfiniteQuery({
    queryKey: keys.revisions(workspace),
    queryFn: ({ pageParam, signal }) => revisions(workspace, pageParam, signal),
    initialPageParam: "",
    getNextPageParam: (last) => (last.next === "" ? undefined : last.next),
  });
}

/** Of revisions, the newest first, those that changed one object, each with what it did to it alone. */
export function changesOf(all: readonly Revision[], kind: Kind, name: string): (Revision & { changes: Change[] })[] {
  const names = new Set([name]);
  return all.flatMap((r) => {
    const found = (r.changes ?? []).filter((c) => c.kind === kind && names.has(c.name));
    for (const c of found) if (c.was) names.add(c.was); // it had another name before
    return found.length > 0 ? [{ ...r, changes: found }] : [];
  });
}

/** The revisions that changed one object. */
export function HistoryOf({ kind, name }: { kind: Kind; name: string }) {
  const workspace = useWorkspace();
  const all = useRevisions(workspace.name);
  return (
    <Loaded query={all} what="its history">
      {({ pages }) => {
        const mine = changesOf(
          pages.flatMap((p) => p.revisions),
          kind,
          name,
        );
        return (
          <div className="space-y-3">
            {mine.length === 0 ? (
              <p className="text-sm text-soft">No revision among those looked at changed it.</p>
            ) : null}
            {mine.length > 0 ? (
              <ul className="divide-y divide-line rounded-xl border border-line bg-card text-sm shadow-xs">
                {mine.map((r) => (
                  <li key={r.number} className="flex flex-wrap items-baseline gap-x-4 gap-y-1 px-4 py-2.5">
                    <Link href={workspace.path("history", String(r.number))} look="name">
                      Revision {r.number}
                    </Link>
                    <span className="min-w-0 flex-1">{r.changes.map(changeText).join("; ")}</span>
                    <span className="text-soft">
                      {actorText(r.by)}, <When at={r.at} />
                    </span>
                  </li>
                ))}
              </ul>
            ) : null}
            {all.hasNextPage ? (
              <Button onClick={() => all.fetchNextPage()} disabled={all.isFetchingNextPage}>
                Look further back
              </Button>
            ) : null}
          </div>
        );
      }}
    </Loaded>
  );
}
