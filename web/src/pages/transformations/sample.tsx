import { useId } from "react";
import { Unreachable } from "../../api/reach";
import { Button } from "../../parts/button";
import { PlaneTrouble, quoted } from "../plane-trouble";
import { CodeProblems } from "./code-problems";
import { Outcomes } from "./outcomes";
import type { From, Sampling } from "./use-sample";

type Props = { name: string; sampling: Sampling };

const none: Record<From, string> = {
  live: "",
  dead: "There is no dead letter now.",
  quarantine: "No event is quarantined now.",
};

/** Sample events, and what the code makes of them on the plane. Nothing is sent on. */
export function Sample({ name, sampling: { sample, setSample, run, take, stop, stopped } }: Props) {
  const id = useId();
  const error = run.error ?? (stopped() ? null : take.error);
  return (
    <div className="min-w-0 space-y-3">
      <label htmlFor={id} className="block text-sm font-medium">
        Sample events
      </label>
      <textarea
        id={id}
        value={sample}
        onChange={(e) => setSample(e.target.value)}
        spellCheck={false}
        rows={10}
        className="w-full rounded-lg border border-edge bg-card p-3 font-mono text-[13px] leading-5 text-ink"
      />
      <div className="flex flex-wrap items-center gap-2">
        <Button look="strong" disabled={run.isPending} onClick={() => run.mutate()} title="Ctrl or ⌘ and Enter">
          {run.isPending ? "Running…" : "Run"}
        </Button>
        {take.isPending ? (
          <>
            <Button onClick={stop}>Stop waiting</Button>
            <span role="status" className="text-sm text-soft">
              {take.variables === "live" ? "Waiting for the next event…" : "Asking its plane…"}
            </span>
          </>
        ) : (
          <>
            <Button onClick={() => take.mutate("live")}>Take the next live event</Button>
            <Button onClick={() => take.mutate("dead")}>Take dead letters</Button>
            <Button onClick={() => take.mutate("quarantine")}>Take quarantined events</Button>
          </>
        )}
      </div>
      {take.data === false && take.variables ? (
        <p role="status" className="text-sm text-soft">
          {none[take.variables]}
        </p>
      ) : null}
      {error instanceof Unreachable ? (
        <PlaneTrouble
          error={error}
          command={`weir preview transform -f ${quoted(`${name || "code"}.js`)} < events.jsonl`}
          onRetry={() => (run.error ? run.mutate() : take.mutate(take.variables ?? "live"))}
        />
      ) : error ? (
        <CodeProblems error={error} own="scripts[0]" />
      ) : null}
      {run.data && !run.error ? <Outcomes outcomes={run.data} /> : null}
    </div>
  );
}
