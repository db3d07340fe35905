import { keepPreviousData, useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { useState } from "react";
import type { Workspace } from "../../api/client";
import { heldEvents, type Shelf } from "../../api/events";
import { type JobKind, jobs } from "../../api/jobs";
import { Button } from "../../parts/button";
import { Choice } from "../../parts/choice";
import { Empty } from "../../parts/empty";
import { Waiting } from "../../parts/waiting";
import { keys } from "../../queries";
import { PlaneTrouble, quoted } from "../plane-trouble";
import { HeldList } from "./held-list";
import { JobList } from "./job-list";
import { MoveForm } from "./move-form";

const shelves: Record<Shelf, { by: "source" | "destination"; about: string; empty: string; next: string }> = {
  parked: {
    by: "destination",
    about: "Their destination cannot take them now. They are kept in order and sent when it can.",
    empty: "Nothing waits.",
    next: "Deliveries wait here while their destination is disabled or does not answer.",
  },
  dead: {
    by: "destination",
    about: "Their destination will never take them as they are. They are kept for 30 days.",
    empty: "Nothing failed for good.",
    next: "Events come here when a destination rejects them for good. You can then send them again.",
  },
  quarantine: {
    by: "source",
    about: "They broke a rule at the gateway, or a transformation failed on them. They are kept for 30 days.",
    empty: "Nothing is in quarantine.",
    next: "Events come here when they are malformed or a transformation fails on them. Correct it, and replay them.",
  },
};

/** The jobs that move what lies on a shelf. */
const movers: Record<Shelf, JobKind[]> = {
  parked: [],
  dead: ["redrive", "retransform", "discard"],
  quarantine: ["replay", "discard_quarantined"],
};

const soon = 1_000; // ms between two looks at jobs that run
const later = 15_000;

/** What a plane keeps of one workspace on one shelf, page by page, and the jobs that move it. */
export function HeldEvents({ workspace, shelf }: { workspace: Workspace; shelf: Shelf }) {
  const { by, about, empty, next } = shelves[shelf];
  const [only, setOnly] = useState("");
  const moving = useQuery({
    queryKey: keys.jobs(workspace.name),
    queryFn: ({ signal }) => jobs(workspace.name, signal),
    enabled: shelf !== "parked",
    refetchInterval: (q) => (q.state.data?.some((j) => j.state === "running") ? soon : later),
  });
  const mine = moving.data?.filter((j) => movers[shelf].includes(j.kind)) ?? [];
  const ended = mine.filter((j) => j.state !== "running").length; // what lies here has changed since
  const all = useInfiniteQuery({
    queryKey: keys.held(workspace.name, shelf, only, ended),
    placeholderData: keepPreviousData,
    queryFn: ({ pageParam, signal }) => heldEvents(workspace.name, shelf, { [by]: only }, pageParam, signal),
    initialPageParam: "",
    getNextPageParam: (last) => (last.next === "" ? undefined : last.next),
  });
  const items = all.data?.pages.flatMap((p) => p.items) ?? [];
  const names = (by === "source" ? workspace.sources : workspace.destinations).map((o) => o.name);
  const title = by === "source" ? "Source" : "Destination";
  const more = all.hasNextPage ? (
    <Button onClick={() => all.fetchNextPage()} disabled={all.isFetchingNextPage}>
      {all.isFetchingNextPage ? "Loading…" : "Show more"}
    </Button>
  ) : null;
  return (
    <div className="space-y-4 pt-2">
      <p className="text-sm text-soft">{about}</p>
      <div className="flex max-w-md items-end gap-3">
        <Choice label={title} value={only} values={names} all={`Every ${by}`} onChange={setOnly} />
        <div className="flex h-9 items-center">
          <Button onClick={() => all.refetch()}>Refresh</Button>
        </div>
      </div>
      {all.isPending ? <Waiting what="the events" /> : null}
      {all.error ? (
        <PlaneTrouble
          error={all.error}
          what="these events"
          command={commandOf(workspace.name, shelf, by, only)}
          onRetry={() => all.refetch()}
        />
      ) : null}
      {all.data && items.length === 0 && !all.hasNextPage ? (
        <Empty title={only === "" ? empty : `${empty.slice(0, -1)} of ${only}.`}>
          <p>{next}</p>
        </Empty>
      ) : null}
      {shelf !== "parked" && items.length > 0 ? (
        <MoveForm key={only} workspace={workspace.name} shelf={shelf} only={only} />
      ) : null}
      <JobList workspace={workspace.name} jobs={mine} />
      {items.length > 0 ? <HeldList items={items} redrive={shelf === "dead" ? workspace.name : undefined} /> : null}
      {more}
    </div>
  );
}

/** The command that lists the same in a terminal. */
function commandOf(workspace: string, shelf: Shelf, by: string, only: string): string {
  const kept = { parked: " --parked", dead: "", quarantine: " --quarantined" }[shelf];
  const narrowed = only === "" ? "" : ` --${by} ${quoted(only)}`;
  return `weir dlq list --workspace ${quoted(workspace)}${kept}${narrowed}`;
}
