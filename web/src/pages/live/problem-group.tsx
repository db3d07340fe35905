import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { beginJob, countFor, type Selection, type Verb } from "../../api/jobs";
import { useWorkspace } from "../../frame/place";
import { Badge, type Tone } from "../../parts/badge";
import { Button } from "../../parts/button";
import { Code, pretty } from "../../parts/code";
import { Dialog } from "../../parts/dialog";
import { Check, Input } from "../../parts/input";
import { Link } from "../../parts/link";
import { Spinner } from "../../parts/spinner";
import { When } from "../../parts/when";
import { keys } from "../../queries";
import { count } from "../flow";
import { PlaneTrouble } from "../plane-trouble";
import { commandOf } from "./commands";
import type { Group } from "./problem-groups";
import { reason } from "./reasons";
import { remedy } from "./remedies";

const shelves: Record<Group["shelf"], { tone: Tone; word: string }> = {
  dead: { tone: "bad", word: "Failed for good" },
  quarantine: { tone: "bad", word: "Quarantined" },
  parked: { tone: "warn", word: "Waiting" },
};

type Act = "again" | "discard";

/** One reason why events did not arrive: how many, since when, what came back, and what to do. */
export function ProblemGroup({ workspace, group: g }: { workspace: string; group: Group }) {
  const { path } = useWorkspace();
  const [open, setOpen] = useState(false);
  const [act, setAct] = useState<Act | null>(null);
  const words = g.code === "" ? "No reason is given" : reason(g.code);
  const shelf = shelves[g.shelf];
  return (
    <li className="rounded-xl border border-line bg-card shadow-xs">
      <div className="flex flex-wrap items-start gap-x-4 gap-y-3 px-4 py-3.5 text-sm sm:px-5">
        <div className="min-w-0 flex-1 basis-72 space-y-1">
          <p className="flex flex-wrap items-center gap-x-2.5 gap-y-1">
            <Badge tone={shelf.tone}>{shelf.word}</Badge>
            {g.destination ? (
              <Link href={path("destinations", g.destination)} look="name">
                {g.destination}
              </Link>
            ) : (
              <Link href={path("sources", g.source)} look="name">
                {g.source}
              </Link>
            )}
            <span className="font-semibold tabular-nums">
              {count(g.count)}
              {g.more ? "+" : ""}
            </span>
            <span className="text-soft">
              {g.first === g.last ? null : (
                <>
                  from <When at={g.first} /> to{" "}
                </>
              )}
              <When at={g.last} />
            </span>
          </p>
          <p className="font-medium">{words.charAt(0).toUpperCase() + words.slice(1)}.</p>
          {g.sample.detail ? <p className="line-clamp-3 break-words text-soft">{g.sample.detail}</p> : null}
          <p>{remedy(g.code, g.shelf)}</p>
        </div>
        <div className="flex flex-wrap gap-2">
          <Button onClick={() => setOpen(!open)} aria-expanded={open}>
            {open ? "Hide the sample" : "Show a sample"}
          </Button>
          {g.shelf === "parked" ? null : (
            <>
              <Button onClick={() => setAct("again")}>{g.shelf === "dead" ? "Send again…" : "Replay…"}</Button>
              <Button onClick={() => setAct("discard")}>Discard…</Button>
            </>
          )}
        </div>
      </div>
      {open ? (
        <div className="space-y-2 border-t border-line px-4 py-3 text-sm sm:px-5">
          <p className="font-mono text-xs break-all text-soft">
            {g.sample.messageId}
            {g.sample.code ? ` · ${g.sample.code}` : ""}
            {g.sample.status ? ` · status ${g.sample.status}` : ""}
          </p>
          <Code text={pretty(g.sample.event)} name={`Event ${g.sample.messageId}`} />
        </div>
      ) : null}
      {act ? <Moving workspace={workspace} group={g} act={act} onClose={() => setAct(null)} /> : null}
    </li>
  );
}

function Moving({
  workspace,
  group: g,
  act,
  onClose,
}: {
  workspace: string;
  group: Group;
  act: Act;
  onClose: () => void;
}) {
  const queries = useQueryClient();
  const [rate, setRate] = useState("");
  const [today, setToday] = useState(false);
  const dead = g.shelf === "dead";
  const verb: Verb = dead
    ? act === "again"
      ? "redrive"
      : "discard"
    : act === "again"
      ? "replay"
      : "discard-quarantined";
  const selection: Selection = {
    ...(g.destination ? { destination: g.destination } : {}),
    ...(g.source ? { source: g.source } : {}),
    ...(g.code ? { code: g.code } : {}),
    all: false,
    rate: 0,
  };
  const dry = useQuery({
    queryKey: ["count", workspace, verb, selection],
    queryFn: () => countFor(workspace, act === "again" ? "redrive" : "discard", selection),
    enabled: dead,
    staleTime: 0,
  });
  const begin = useMutation({
    mutationFn: () =>
      beginJob(workspace, verb, {
        ...selection,
        rate: Number(rate),
        ...(verb === "redrive" && today ? { retransform: true } : {}),
      }),
    onSuccess: onClose,
    onSettled: () => queries.invalidateQueries({ queryKey: keys.jobs(workspace) }),
  });
  const n = dead ? dry.data : g.count;
  const title = act === "discard" ? "Discard events" : dead ? "Send events again" : "Replay events";
  return (
    <Dialog title={title} onClose={onClose}>
      <p>
        {dry.isFetching ? (
          <span className="flex items-center gap-2 text-soft">
            <Spinner /> Counting them on the plane…
          </span>
        ) : (
          <>
            <strong>
              {count(n ?? g.count)}
              {!dead && g.more ? " or more" : ""} {n === 1 ? "event" : "events"}
            </strong>{" "}
            {whose(g)}: {g.code ? reason(g.code) : "no reason is given"}.
          </>
        )}
      </p>
      {act === "discard" ? (
        <p className="text-bad">They cannot be brought back.</p>
      ) : (
        <>
          <Input
            label="Events a second"
            optional
            type="number"
            min={1}
            max={1_000_000}
            placeholder="as fast as the plane can"
            value={rate}
            onChange={(e) => setRate(e.target.value)}
          />
          {dead ? (
            <Check
              label="Through today's transformations"
              hint="Begins from the event as it came, with the code and rules of now."
              checked={today}
              onChange={setToday}
            />
          ) : null}
        </>
      )}
      {begin.error ? (
        <PlaneTrouble
          error={begin.error}
          command={commandOf(workspace, verb, selection)}
          onRetry={() => begin.mutate()}
        />
      ) : dry.error ? (
        <PlaneTrouble
          error={dry.error}
          command={`${commandOf(workspace, verb, selection)} --dry-run`}
          onRetry={() => dry.refetch()}
        />
      ) : null}
      <div className="flex gap-2">
        <Button
          look={act === "discard" ? "danger" : "strong"}
          onClick={() => begin.mutate()}
          disabled={begin.isPending || n === 0}
        >
          {act === "discard" ? "Discard for good" : dead ? "Send again" : "Replay"}
        </Button>
        <Button onClick={onClose}>Cancel</Button>
      </div>
    </Dialog>
  );
}

/** Whose events a group has, for people. */
function whose(g: Group): string {
  if (g.destination === "") return `of ${g.source}`;
  return g.source === "" ? `of ${g.destination}, from every source` : `of ${g.destination} that came from ${g.source}`;
}
