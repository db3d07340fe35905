import { useInfiniteQuery } from "@tanstack/react-query";
import { useState } from "react";
import { type AuditEntry, type AuditFilter, audit } from "../../api/tenants";
import { fieldText } from "../../draft/words";
import { useHere } from "../../frame/place";
import { useWorkspaces } from "../../frame/workspaces";
import { actorText } from "../../parts/actor";
import { Button } from "../../parts/button";
import { Empty } from "../../parts/empty";
import { Page } from "../../parts/page";
import { putQuery, useQueryText } from "../../parts/path";
import { Card } from "../../parts/section";
import { When } from "../../parts/when";
import { keys } from "../../queries";
import { Loaded } from "../loaded";
import { Values } from "../review/values";
import { actionText } from "./actions";

const filters = ["actor", "action", "object"] as const;
const titles = { actor: "Who", action: "What", object: "Object" };

/** Who wrote what, with what it was before and after. */
export function AuditPage() {
  const { organization, me } = useHere();
  const workspaces = useWorkspaces().data ?? [];
  const query = new URLSearchParams(useQueryText());
  const withReads = query.get("reads") === "shown" || (query.get("action") ?? "").startsWith("capability");
  const filter: AuditFilter = {
    ...Object.fromEntries([...filters, "workspace" as const].flatMap((f) => (query.get(f) ? [[f, query.get(f)]] : []))),
    ...(withReads ? {} : { withoutReads: true }),
  };
  const all = useInfiniteQuery({
    queryKey: keys.audit(JSON.stringify(filter)),
    queryFn: ({ pageParam, signal }) => audit(filter, pageParam, signal),
    initialPageParam: "",
    getNextPageParam: (last) => (last.next === "" ? undefined : last.next),
    placeholderData: (before) => before,
  });
  const names = new Map(workspaces.map((w) => [w.id, w.name]));
  return (
    <Page
      title="Audit log"
      of={organization || me.organizations?.[0]?.organization || "Organization"}
      hint="Who did what, the newest first. Each row is chained to the one before, so that none can be changed unseen."
    >
      <search className="flex flex-wrap gap-3">
        {filters.map((f) => (
          <input
            key={f}
            type="search"
            aria-label={titles[f]}
            placeholder={titles[f]}
            defaultValue={query.get(f) ?? ""}
            onChange={(e) => putQuery(f, e.target.value.trim())}
            className="h-9 w-52 rounded-lg border border-edge bg-card px-3 text-sm text-ink placeholder:text-soft"
          />
        ))}
        <select
          aria-label="Workspace"
          value={query.get("workspace") ?? ""}
          onChange={(e) => putQuery("workspace", e.target.value)}
          className="h-9 w-52 rounded-lg border border-edge bg-card px-2 text-sm text-ink"
        >
          <option value="">Every workspace</option>
          {workspaces.map((w) => (
            <option key={w.id}>{w.name}</option>
          ))}
        </select>
        <label className="flex h-9 items-center gap-2 text-sm">
          <input
            type="checkbox"
            checked={withReads}
            onChange={(e) => putQuery("reads", e.target.checked ? "shown" : "")}
            className="size-4 accent-accent"
          />
          Who read events or rows
        </label>
      </search>
      <Loaded query={all} what="the audit log">
        {({ pages }) => {
          const entries = pages.flatMap((p) => p.entries);
          return (
            <>
              {entries.length === 0 ? (
                <Empty title="Nothing fits.">
                  <p>Whatever is changed here, in a terminal or by a program is kept here.</p>
                  {withReads ? null : <p>Who read events or rows on a plane is kept too, and not shown now.</p>}
                </Empty>
              ) : (
                <Card>
                  <ul className="divide-y divide-line" aria-label="What was done">
                    {entries.map((e, i) => (
                      <Entry
                        key={e.number > 0 ? e.number : `${e.at} ${i}`}
                        entry={e}
                        workspace={names.get(e.workspace) ?? e.workspace}
                      />
                    ))}
                  </ul>
                </Card>
              )}
              {all.hasNextPage ? (
                <Button onClick={() => all.fetchNextPage()} disabled={all.isFetchingNextPage}>
                  Show more
                </Button>
              ) : null}
            </>
          );
        }}
      </Loaded>
    </Page>
  );
}

function Entry({ entry: e, workspace }: { entry: AuditEntry; workspace: string }) {
  const [open, setOpen] = useState(false);
  const fields = [...new Set([...Object.keys(e.before ?? {}), ...Object.keys(e.after ?? {})])];
  return (
    <li>
      <button
        type="button"
        aria-expanded={open}
        onClick={() => setOpen(!open)}
        className="flex w-full flex-wrap items-baseline gap-x-4 gap-y-1 px-4 py-2.5 text-left text-sm hover:bg-sunken/60"
      >
        <span className="w-44 shrink-0 truncate font-medium">{actorText(e.actor)}</span>
        <span className="min-w-0 flex-1 basis-60 break-words [overflow-wrap:anywhere]">
          {actionText(e.action)}
          {workspace ? <span className="text-soft"> in {workspace}</span> : null}
          {e.detail ? <span className="text-soft">: {e.detail}</span> : null}
        </span>
        <span className="text-soft">
          <When at={e.at} />
        </span>
      </button>
      {open ? (
        <div className="space-y-3 px-4 pt-1 pb-4 text-sm">
          <dl className="grid gap-x-4 gap-y-1 text-soft sm:grid-cols-[8rem_1fr]">
            <dt>Object</dt>
            <dd className="font-mono text-[13px] break-all">{e.object}</dd>
            <dt>When</dt>
            <dd>
              <When at={e.at} whole />
            </dd>
            {e.address ? (
              <>
                <dt>From</dt>
                <dd>{e.address}</dd>
              </>
            ) : null}
            {e.request ? (
              <>
                <dt>Request</dt>
                <dd className="font-mono text-[13px] break-all">{e.request}</dd>
              </>
            ) : null}
          </dl>
          <Values fields={fields} before={e.before} after={e.after} words={fieldText} />
        </div>
      ) : null}
    </li>
  );
}
