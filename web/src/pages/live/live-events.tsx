import { useId, useState } from "react";
import type { Workspace } from "../../api/client";
import { type Filter, outcomes, stages } from "../../api/events";
import { Badge } from "../../parts/badge";
import { Button } from "../../parts/button";
import { Choice } from "../../parts/choice";
import { Notice } from "../../parts/notice";
import { putFragment, putQuery, useFragment, useQueryText } from "../../parts/path";
import { PlaneTrouble, quoted } from "../plane-trouble";
import { NothingYet } from "./nothing-yet";
import { Sightings, toneOf } from "./sightings";
import { type Stream, useLive } from "./use-live";

const filters = ["source", "destination", "stage", "outcome"] as const;
const searchAtMost = 200; // bytes, as planes have it
const number = new Intl.NumberFormat("en");

type Props = {
  workspace: Workspace;
  /** The only source and destination whose events are shown; without it the address chooses. */
  connection?: { source: string; destination: string };
};

/** The stream of a workspace's events, with filters that stand in the address: what is searched for in its fragment. */
export function LiveEvents({ workspace, connection }: Props) {
  const [running, setRunning] = useState(true);
  const query = new URLSearchParams(useQueryText());
  const search = useFragment("search");
  const filter: Filter = {
    ...Object.fromEntries(filters.flatMap((f) => (query.get(f) ? [[f, query.get(f)]] : []))),
    ...(search === "" ? {} : { search }),
    ...connection,
  };
  const chosen = connection ? filters.filter((f) => !(f in connection)) : filters;
  const { stream, seen, clear, again } = useLive(workspace.name, filter, running);
  const values = {
    source: workspace.sources.map((s) => s.name),
    destination: workspace.destinations.map((d) => d.name),
    stage: stages,
    outcome: outcomes,
  };
  const choose = (name: string, value: string) => {
    clear();
    putQuery(name, value);
  };
  const look = (text: string) => {
    clear();
    putFragment("search", text);
  };
  return (
    <div className="space-y-4 pt-2">
      <div className="flex flex-wrap items-end gap-3">
        <SearchBox key={search} value={search} onSearch={look} />
        {chosen.map((f) => (
          <Choice
            key={f}
            label={f.charAt(0).toUpperCase() + f.slice(1)}
            value={filter[f] ?? ""}
            values={values[f]}
            all={`Every ${f}`}
            onChange={(v) => choose(f, v)}
          />
        ))}
        <div className="flex h-9 items-center gap-2">
          <Button onClick={() => setRunning(!running)}>{running ? "Pause" : "Go on"}</Button>
          <Button onClick={clear} disabled={seen.journeys.length === 0}>
            Clear
          </Button>
        </div>
      </div>
      <div className="space-y-2">
        <p role="status" className="text-sm text-soft">
          {running ? said[stream.state] : "Paused: what passes now is not shown"}
        </p>
        <div className="flex min-h-12 flex-wrap content-start items-center gap-2 sm:min-h-6">
          {outcomes
            .filter((o) => seen.counts[o])
            .map((o) => (
              <Badge key={o} tone={toneOf(o)}>
                {number.format(seen.counts[o] ?? 0)} {o}
              </Badge>
            ))}
        </div>
      </div>
      {stream.state === "failed" && running ? (
        <PlaneTrouble
          error={stream.error}
          what="live events"
          command={tailOf(workspace.name, filter)}
          onRetry={again}
        />
      ) : null}
      {seen.missed > 0 ? (
        <Notice tone="warn" title={`${number.format(seen.missed)} steps of events passed without being shown.`}>
          <p>They pass faster than this page can read; nothing is lost. Narrow the filters to see every one.</p>
        </Notice>
      ) : null}
      {seen.journeys.length > 0 ? <Sightings journeys={seen.journeys} /> : null}
      {seen.journeys.length === 0 && stream.state !== "failed" ? (
        <NothingYet workspace={workspace} filtered={Object.keys(filter).length > 0} />
      ) : null}
    </div>
  );
}

/** Searches in the plane, when somebody says so: each search is a stream of its own. */
function SearchBox({ value, onSearch }: { value: string; onSearch: (text: string) => void }) {
  const [text, setText] = useState(value);
  const id = useId();
  return (
    <search className="min-w-64 flex-1">
      <form
        className="space-y-1"
        onSubmit={(e) => {
          e.preventDefault();
          onSearch(text.trim());
        }}
      >
        <label htmlFor={id} className="block text-xs font-medium text-soft">
          Message id, user or name
        </label>
        <div className="flex h-9 items-center gap-2">
          <input
            id={id}
            type="search"
            value={text}
            maxLength={searchAtMost}
            onChange={(e) => setText(e.target.value)}
            className="h-9 w-full min-w-0 rounded-lg border border-edge bg-card px-3 text-sm text-ink"
          />
          <Button type="submit" disabled={text.trim() === value}>
            Search
          </Button>
        </div>
      </form>
    </search>
  );
}

const said: Record<Stream["state"], string> = {
  connecting: "Connecting to the plane…",
  open: "Connected: events appear as they pass",
  failed: "Not connected",
};

/** The command that shows the same stream in a terminal. */
function tailOf(workspace: string, filter: Filter): string {
  const flags = Object.entries({ workspace, ...filter }).map(([name, value]) => `--${name} ${quoted(value)}`);
  return ["weir tail", ...flags].join(" ");
}
