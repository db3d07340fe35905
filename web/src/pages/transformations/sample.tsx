import { useMutation } from "@tanstack/react-query";
import { useEffect, useId, useRef, useState } from "react";
import { isRecord, live } from "../../api/events";
import { type Outcome, previewTransformation } from "../../api/preview";
import { Problem } from "../../api/problem";
import { Unreachable } from "../../api/reach";
import { Button } from "../../parts/button";
import { pretty } from "../../parts/code";
import { PlaneTrouble, quoted } from "../plane-trouble";
import { CodeProblems } from "./code-problems";
import { type Draft, eventsOf } from "./edit";
import { Outcomes } from "./outcomes";

const first = pretty({
  type: "track",
  messageId: "sample-1",
  userId: "user-1",
  event: "Order Completed",
  properties: { total: 12.5 },
});

type Props = { workspace: string; draft: Draft; libraries: { name: string; code: string }[] };

/** Sample events, and what the code makes of them on the plane. Nothing is sent on. */
export function Sample({ workspace, draft, libraries }: Props) {
  const [sample, setSample] = useState(first);
  const id = useId();
  const run = useMutation({
    mutationFn: async (): Promise<Outcome[]> => {
      const events = eventsOf(sample);
      if (typeof events === "string") throw new Problem(400, events, "");
      return await previewTransformation(workspace, {
        code: draft.code,
        libraries: libraries.map(({ name, code }) => ({ name, code })),
        events,
      });
    },
  });
  const waiting = useRef<AbortController>(null);
  useEffect(() => () => waiting.current?.abort(), []);
  const take = useMutation({
    mutationFn: async () => {
      waiting.current = new AbortController();
      setSample(await next(workspace, waiting.current.signal));
    },
  });
  const error = run.error ?? (waiting.current?.signal.aborted ? null : take.error);
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
        <Button look="strong" disabled={run.isPending} onClick={() => run.mutate()}>
          {run.isPending ? "Running…" : "Run"}
        </Button>
        {take.isPending ? (
          <>
            <Button onClick={() => waiting.current?.abort()}>Stop waiting</Button>
            <span role="status" className="text-sm text-soft">
              Waiting for the next event…
            </span>
          </>
        ) : (
          <Button onClick={() => take.mutate()}>Take the next live event</Button>
        )}
      </div>
      {error instanceof Unreachable ? (
        <PlaneTrouble
          error={error}
          command={`weir preview transform -f ${quoted(`${draft.name || "code"}.js`)} < events.jsonl`}
          onRetry={() => (run.error ? run.mutate() : take.mutate())}
        />
      ) : error ? (
        <CodeProblems error={error} own="scripts[0]" />
      ) : null}
      {run.data && !run.error ? <Outcomes outcomes={run.data} /> : null}
    </div>
  );
}

/** The next event that comes in, as text. */
async function next(workspace: string, signal: AbortSignal): Promise<string> {
  while (!signal.aborted) {
    for await (const line of live(workspace, { stage: "gateway", outcome: "accepted" }, signal))
      if (line.kind === "sighting" && isRecord(line.sighting.event)) return pretty(line.sighting.event);
    await new Promise((done) => setTimeout(done, 1000)); // the stream ended with its capability
  }
  throw signal.reason;
}
