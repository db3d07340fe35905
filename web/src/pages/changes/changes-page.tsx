import { useInfiniteQuery } from "@tanstack/react-query";
import { type ChangeFilter, type ChangeState, changeRequests } from "../../api/changes";
import { changeText } from "../../draft/words";
import { inOrganization, useHere } from "../../frame/place";
import { useWorkspaces } from "../../frame/workspaces";
import { actorText } from "../../parts/actor";
import { Badge } from "../../parts/badge";
import { Button } from "../../parts/button";
import { Choice } from "../../parts/choice";
import { Empty } from "../../parts/empty";
import { Link } from "../../parts/link";
import { Page } from "../../parts/page";
import { putQuery, useQueryText } from "../../parts/path";
import { Table } from "../../parts/table";
import { When } from "../../parts/when";
import { keys } from "../../queries";
import { Loaded } from "../loaded";
import { states } from "./states";

const all = "all";

/** Commits that wait for another person, and those that waited. */
export function ChangesPage() {
  const { organization, me } = useHere();
  const workspaces = useWorkspaces();
  const query = new URLSearchParams(useQueryText());
  const wanted = query.get("state") ?? "waiting";
  const workspace = query.get("workspace") ?? "";
  const state = isState(wanted) ? wanted : undefined;
  const filter: ChangeFilter = { ...(state ? { state } : {}), ...(workspace ? { workspace } : {}) };
  const list = useInfiniteQuery({
    queryKey: keys.changes(JSON.stringify(filter)),
    queryFn: ({ pageParam, signal }) => changeRequests(filter, pageParam, signal),
    initialPageParam: "",
    getNextPageParam: (last) => (last.next === "" ? undefined : last.next),
    placeholderData: (before) => before,
  });
  return (
    <Page
      title="Changes"
      of={organization || me.organizations?.[0]?.organization || "Organization"}
      hint="What was to be published and needs another person first, as the policies of the organization ask."
    >
      <search className="flex max-w-xl flex-wrap gap-3">
        <Choice
          label="State"
          value={wanted}
          values={[...Object.keys(states), all]}
          onChange={(s) => putQuery("state", s === "waiting" ? "" : s)}
        />
        <Choice
          label="Workspace"
          value={workspace}
          values={(workspaces.data ?? []).map((w) => w.name)}
          all="Every workspace"
          onChange={(w) => putQuery("workspace", w)}
        />
      </search>
      <Loaded query={list} what="the changes">
        {({ pages }) => (
          <>
            <Table
              label="Changes"
              rows={pages.flatMap((p) => p.changes)}
              keyOf={(c) => String(c.number)}
              text={(c) => `${c.number} ${c.workspace} ${c.author} ${c.reason} ${c.changes.map(changeText).join(" ")}`}
              empty={
                <Empty title={state === "waiting" ? "Nothing waits for another person." : "Nothing fits."}>
                  <p>
                    Which changes need another person is said by{" "}
                    <Link href={inOrganization(organization, "policies")}>policies</Link>, such as every change of a
                    destination in production.
                  </p>
                </Empty>
              }
              columns={[
                {
                  title: "Change",
                  cell: (c) => (
                    <span className="flex flex-wrap items-center gap-2">
                      <Link look="name" href={inOrganization(organization, "changes", c.workspace, String(c.number))}>
                        {c.number}
                      </Link>
                      {state ? null : <Badge tone={states[c.state].tone}>{states[c.state].word}</Badge>}
                    </span>
                  ),
                },
                { title: "Workspace", cell: (c) => <span className="break-all">{c.workspace}</span> },
                {
                  title: "What",
                  wide: true,
                  cell: (c) => (
                    <span className="line-clamp-2">
                      {c.changes.slice(0, 3).map(changeText).join("; ")}
                      {c.changes.length > 3 ? `; and ${c.changes.length - 3} more` : ""}
                    </span>
                  ),
                },
                { title: "Why", wide: true, cell: (c) => <span className="text-soft">{c.reason || "–"}</span> },
                {
                  title: "Who",
                  cell: (c) => (
                    <span className="break-all">
                      {actorText(c.author)}
                      {actorText(c.author) === me.email ? <span className="text-soft"> (you)</span> : null}
                    </span>
                  ),
                },
                { title: "When", cell: (c) => <When at={c.at} /> },
              ]}
            />
            {list.hasNextPage ? (
              <Button onClick={() => list.fetchNextPage()} disabled={list.isFetchingNextPage}>
                Show more
              </Button>
            ) : null}
          </>
        )}
      </Loaded>
    </Page>
  );
}

function isState(text: string): text is ChangeState {
  return text in states;
}
