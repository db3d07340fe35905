import { useQuery } from "@tanstack/react-query";
import type { Workspace } from "../../api/client";
import { type Held, heldEvents, type Shelf } from "../../api/events";
import { jobs } from "../../api/jobs";
import { Empty } from "../../parts/empty";
import { Waiting } from "../../parts/waiting";
import { keys } from "../../queries";
import { PlaneTrouble, quoted } from "../plane-trouble";
import { JobList } from "./job-list";
import { ProblemGroup } from "./problem-group";

const looked = 500; // events of a shelf that are grouped at a time
const soon = 1_000;
const later = 10_000;

/** Events that did not arrive, of one destination or source and for one reason. */
export type Group = {
  shelf: Shelf;
  /** "" where they came from whichever source. */
  source: string;
  destination: string;
  code: string;
  count: number;
  /** Whether there are more than were looked at. */
  more: boolean;
  first: string;
  last: string;
  sample: Held;
};

const shelves: Shelf[] = ["dead", "quarantine", "parked"];

type Props = { workspace: Workspace; only: string; source?: string };

/**
 * What did not arrive, grouped by where it should have gone and why it did not. only is a destination, or "" for all;
 * source leaves out what came from others.
 */
export function ProblemGroups({ workspace, only, source = "" }: Props) {
  const moving = useQuery({
    queryKey: keys.jobs(workspace.name),
    queryFn: ({ signal }) => jobs(workspace.name, signal),
    refetchInterval: (q) => (q.state.data?.some((j) => j.state === "running") ? soon : later),
  });
  const ended = moving.data?.filter((j) => j.state !== "running").length ?? 0;
  const all = useQuery({
    queryKey: [...keys.held(workspace.name, "groups", only, ended), source],
    queryFn: async ({ signal }) => {
      const pages = await Promise.all(
        shelves.map((shelf) => heldEvents(workspace.name, shelf, { source, destination: only }, "", signal, looked)),
      );
      return pages.flatMap((page, i) => groupsOf(shelves[i] ?? "dead", page.items, page.next !== "", only, source));
    },
    refetchInterval: later,
    placeholderData: (before) => before,
  });
  const about = (of: string, wanted: string) => wanted === "" || of === "" || of === wanted;
  const mine = moving.data?.filter((j) => (only === "" || j.destination === only) && about(j.source, source)) ?? [];
  return (
    <div className="space-y-5">
      {all.isPending ? <Waiting what="what did not arrive" /> : null}
      {all.error ? (
        <PlaneTrouble
          error={all.error}
          what="what did not arrive"
          command={`weir dlq list --workspace ${quoted(workspace.name)}${only ? ` --destination ${quoted(only)}` : ""}${source ? ` --source ${quoted(source)}` : ""}`}
          onRetry={() => all.refetch()}
        />
      ) : null}
      {all.data?.length === 0 ? (
        <Empty title={only ? `Everything that ${source || "was"} sent to ${only} arrived.` : "Everything arrived."}>
          <p>
            Events show here when a destination rejects them, cannot take them now, or when they break a rule on the
            way.
          </p>
        </Empty>
      ) : null}
      {all.data && all.data.length > 0 ? (
        <ul className="space-y-3" aria-label="Problems">
          {all.data.map((g) => (
            <ProblemGroup
              key={`${g.shelf} ${g.source} ${g.destination} ${g.code}`}
              workspace={workspace.name}
              group={g}
            />
          ))}
        </ul>
      ) : null}
      <JobList workspace={workspace.name} jobs={mine} />
    </div>
  );
}

/** Events of a shelf by destination and reason, or by source and reason where they have no destination; the most first. */
export function groupsOf(shelf: Shelf, items: Held[], more: boolean, only: string, from = ""): Group[] {
  const groups = new Map<string, Group>();
  for (const h of items) {
    if (only && h.destination !== only) continue;
    if (from && h.source !== from) continue;
    const source = shelf === "quarantine" ? h.source : from;
    const key = JSON.stringify([source, h.destination, h.code]);
    const g = groups.get(key);
    if (!g) {
      groups.set(key, {
        shelf,
        source,
        destination: h.destination,
        code: h.code,
        count: 1,
        more,
        first: h.at,
        last: h.at,
        sample: h,
      });
      continue;
    }
    g.count += 1;
    if (h.at < g.first) g.first = h.at;
    if (h.at >= g.last) {
      g.last = h.at;
      g.sample = h;
    }
  }
  return [...groups.values()].sort((a, b) => b.count - a.count);
}
