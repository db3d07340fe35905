import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { type Job, type JobKind, stopJob } from "../../api/jobs";
import { Badge, type Tone } from "../../parts/badge";
import { Button } from "../../parts/button";
import { Card, Section } from "../../parts/section";
import { ago } from "../../parts/time";
import { keys } from "../../queries";
import { PlaneTrouble, quoted } from "../plane-trouble";

const number = new Intl.NumberFormat("en");
const shortList = 3; // jobs that ended, before somebody asks for all

const acts: Record<JobKind, string> = {
  redrive: "Send again",
  retransform: "Send again through today's code",
  discard: "Discard",
  replay: "Replay",
  discard_quarantined: "Discard",
};

const states: Record<Job["state"], { tone: Tone; word: string }> = {
  running: { tone: "warn", word: "Running" },
  done: { tone: "good", word: "Done" },
  stopped: { tone: "quiet", word: "Stopped" },
  failed: { tone: "bad", word: "Failed" },
};

/** Jobs of a workspace, those that run with their progress and a way to stop them. */
export function JobList({ workspace, jobs }: { workspace: string; jobs: Job[] }) {
  const [all, setAll] = useState(false);
  const now = new Date();
  const ended = jobs.filter((j) => j.state !== "running");
  const shown = [...jobs.filter((j) => j.state === "running"), ...(all ? ended : ended.slice(0, shortList))];
  if (jobs.length === 0) return null;
  return (
    <Section title="Jobs">
      <Card>
        <ul aria-label="Jobs" className="divide-y divide-line">
          {shown.map((j) => (
            <JobItem key={j.id} workspace={workspace} job={j} now={now} />
          ))}
        </ul>
        {ended.length > shortList ? (
          <div className="border-t border-line px-4 py-2">
            <Button onClick={() => setAll(!all)}>{all ? "Show fewer" : `Show all ${ended.length} that ended`}</Button>
          </div>
        ) : null}
      </Card>
    </Section>
  );
}

function JobItem({ workspace, job: j, now }: { workspace: string; job: Job; now: Date }) {
  const queries = useQueryClient();
  const stop = useMutation({
    mutationFn: () => stopJob(workspace, j.id),
    onSettled: () => queries.invalidateQueries({ queryKey: keys.jobs(workspace) }),
  });
  const state = states[j.state];
  const about = [j.source, j.destination, j.code].filter((s) => s !== "").join(" · ");
  return (
    <li className="space-y-2 px-4 py-3 text-sm">
      <div className="flex flex-wrap items-center gap-x-3 gap-y-1">
        <Badge tone={state.tone}>{state.word}</Badge>
        <span className="font-medium">{acts[j.kind]}</span>
        <span className="text-soft">{about === "" ? `every ${quarantined(j) ? "source" : "destination"}` : about}</span>
        <span className="tabular-nums">{progressOf(j)}</span>
        <span className="ml-auto flex items-center gap-3 text-soft">
          <time dateTime={j.created}>{ago(new Date(j.created), now)}</time>
          {j.state === "running" ? (
            <Button onClick={() => stop.mutate()} disabled={stop.isPending} aria-label={`Stop ${j.id}`}>
              {stop.isPending ? "Stopping…" : "Stop"}
            </Button>
          ) : null}
        </span>
      </div>
      {j.state === "running" ? <Bar job={j} /> : null}
      {j.reason === "" ? null : <p className="break-words text-soft">{j.reason}</p>}
      {stop.error ? (
        <PlaneTrouble
          error={stop.error}
          command={`weir jobs stop ${quoted(j.id)} --workspace ${quoted(workspace)}`}
          onRetry={() => stop.mutate()}
        />
      ) : null}
    </li>
  );
}

function quarantined(j: Job): boolean {
  return j.kind === "replay" || j.kind === "discard_quarantined";
}

function progressOf(j: Job): string {
  const of = j.total === null ? "" : ` of ${number.format(j.total)}`;
  const rate = j.rate === 0 || j.state !== "running" ? "" : `, ${number.format(j.rate)} a second`;
  return `${number.format(j.moved)}${of}${rate}`;
}

function Bar({ job: j }: { job: Job }) {
  const part = j.total === null || j.total === 0 ? 0 : Math.min(1, j.moved / j.total);
  return (
    <div
      role="progressbar"
      aria-label={`Progress of ${j.id}`}
      aria-valuemin={0}
      aria-valuemax={100}
      aria-valuenow={Math.floor(100 * part)}
      className="h-1.5 overflow-hidden rounded-full bg-sunken"
    >
      <div
        className="h-full rounded-full bg-accent transition-[width] motion-reduce:transition-none"
        style={{ width: `${100 * part}%` }}
      />
    </div>
  );
}
