import { changeText } from "../../draft/words";
import { useWorkspace } from "../../frame/place";
import { actorText } from "../../parts/actor";
import { Badge } from "../../parts/badge";
import { Button } from "../../parts/button";
import { Empty } from "../../parts/empty";
import { Link } from "../../parts/link";
import { Page } from "../../parts/page";
import { Table } from "../../parts/table";
import { When } from "../../parts/when";
import { Loaded } from "../loaded";
import { useRevisions } from "./history-of";

/** Every revision of a workspace: who changed what, when and why. */
export function HistoryPage() {
  const workspace = useWorkspace();
  const all = useRevisions(workspace.name);
  return (
    <Page
      title="History"
      of={workspace.name}
      hint="Every revision: who changed what, when and why. Any of them can come back."
    >
      <Loaded query={all} what="the history">
        {({ pages }) => (
          <>
            <Table
              label="Revisions"
              rows={pages.flatMap((p) => p.revisions)}
              keyOf={(r) => String(r.number)}
              text={(r) => `${r.number} ${r.by} ${r.reason} ${(r.changes ?? []).map(changeText).join(" ")}`}
              empty={
                <Empty title="No revision yet.">
                  <p>The first one is made when something is published.</p>
                </Empty>
              }
              columns={[
                {
                  title: "Revision",
                  cell: (r) => (
                    <span className="flex items-center gap-2">
                      <Link href={workspace.path("history", String(r.number))} look="name">
                        {r.number}
                      </Link>
                      {r.number === workspace.running ? <Badge tone="good">Running</Badge> : null}
                    </span>
                  ),
                },
                {
                  title: "What",
                  cell: (r) => (
                    <span className="line-clamp-2">
                      {r.changes ? r.changes.slice(0, 3).map(changeText).join("; ") || "Nothing" : "Not kept"}
                      {(r.changes?.length ?? 0) > 3 ? `; and ${(r.changes?.length ?? 0) - 3} more` : ""}
                    </span>
                  ),
                },
                { title: "Why", wide: true, cell: (r) => <span className="text-soft">{r.reason || "–"}</span> },
                { title: "Who", cell: (r) => <span className="break-all">{actorText(r.by)}</span> },
                { title: "When", cell: (r) => <When at={r.at} /> },
              ]}
            />
            {all.hasNextPage ? (
              <Button onClick={() => all.fetchNextPage()} disabled={all.isFetchingNextPage}>
                Show more
              </Button>
            ) : null}
          </>
        )}
      </Loaded>
    </Page>
  );
}
