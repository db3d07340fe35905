import { useMutation, useQueryClient } from "@tanstack/react-query";
import { type ReactNode, useId, useState } from "react";
import { beginJob, type Selection, type Verb } from "../../api/jobs";
import { Button } from "../../parts/button";
import { Card } from "../../parts/section";
import { keys } from "../../queries";
import { PlaneTrouble } from "../plane-trouble";
import { commandOf } from "./commands";

/** How the events of a shelf are moved: the verbs of its jobs, and the words for them. */
type Ways = { again: Verb; act: string; discard: Verb; by: "source" | "destination"; noun: string; original: boolean };

const ways: Record<"dead" | "quarantine", Ways> = {
  dead: {
    again: "redrive",
    act: "Send all again",
    discard: "discard",
    by: "destination",
    noun: "that failed",
    original: true,
  },
  quarantine: {
    again: "replay",
    act: "Replay all",
    discard: "discard-quarantined",
    by: "source",
    noun: "in quarantine",
    original: false,
  },
};

/** Begins jobs about what lies on a shelf, of one source or destination or, with "", of all. */
export function MoveForm({
  workspace,
  shelf,
  only,
}: {
  workspace: string;
  shelf: "dead" | "quarantine";
  only: string;
}) {
  const { again, act, discard, by, noun, original } = ways[shelf];
  const [rate, setRate] = useState("");
  const [retransform, setRetransform] = useState(false);
  const [asking, setAsking] = useState(false);
  const rateId = useId();
  const queries = useQueryClient();
  const selection = (verb: Verb): Selection => ({
    ...(only === "" ? {} : { [by]: only }),
    all: true,
    rate: Number(rate),
    ...(verb === "redrive" && retransform ? { retransform } : {}),
  });
  const begin = useMutation({
    mutationFn: (verb: Verb) => beginJob(workspace, verb, selection(verb)),
    onSettled: () => {
      setAsking(false);
      return queries.invalidateQueries({ queryKey: keys.jobs(workspace) });
    },
  });
  const what = only === "" ? `every event ${noun}` : `every event of ${only} ${noun}`;
  return (
    <Card>
      <form
        className="flex flex-wrap items-end gap-x-5 gap-y-3 px-4 py-3 text-sm"
        onSubmit={(e) => {
          e.preventDefault();
          begin.mutate(again);
        }}
      >
        <div className="space-y-1">
          <label htmlFor={rateId} className="block text-xs font-medium text-soft">
            Events a second
          </label>
          <input
            id={rateId}
            type="number"
            min={1}
            max={1_000_000}
            step={1}
            value={rate}
            placeholder="as fast as it can"
            onChange={(e) => setRate(e.target.value)}
            className="h-9 w-44 rounded-lg border border-edge bg-card px-2 text-ink placeholder:text-soft"
          />
        </div>
        {original ? (
          <label className="flex h-9 items-center gap-2">
            <input type="checkbox" checked={retransform} onChange={(e) => setRetransform(e.target.checked)} />
            Through today's transformations
          </label>
        ) : null}
        <div className="flex items-center gap-2 sm:ml-auto">
          <Button look="strong" type="submit" disabled={begin.isPending} title={`${act}: ${what}`}>
            {act}
          </Button>
          <Button onClick={() => setAsking(true)} disabled={begin.isPending} aria-expanded={asking}>
            Discard all…
          </Button>
        </div>
      </form>
      {asking ? (
        <Below>
          <p>Discard {what}? They cannot be brought back.</p>
          <span className="flex gap-2">
            <Button onClick={() => begin.mutate(discard)} disabled={begin.isPending}>
              Discard for good
            </Button>
            <Button onClick={() => setAsking(false)}>Keep them</Button>
          </span>
        </Below>
      ) : null}
      {begin.error ? (
        <Below>
          <PlaneTrouble
            error={begin.error}
            command={commandOf(workspace, begin.variables ?? again, selection(begin.variables ?? again))}
            onRetry={() => begin.mutate(begin.variables ?? again)}
          />
        </Below>
      ) : null}
    </Card>
  );
}

function Below({ children }: { children: ReactNode }) {
  return (
    <div className="flex flex-wrap items-center gap-x-4 gap-y-2 border-t border-line px-4 py-3 text-sm">{children}</div>
  );
}
