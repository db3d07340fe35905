import { useMutation } from "@tanstack/react-query";
import { useState } from "react";
import type { Workspace } from "../../api/client";
import { live } from "../../api/events";
import { previewDestination } from "../../api/preview";
import type { Objects } from "../../draft/edits";
import { Button } from "../../parts/button";
import { Code, pretty } from "../../parts/code";
import { TextArea } from "../../parts/input";
import { Section } from "../../parts/section";
import { Spinner } from "../../parts/spinner";
import { reason } from "../live/reasons";
import { PlaneTrouble, quoted } from "../plane-trouble";
import { eventsOf } from "../transformations/edit";
import { previewCommand } from "./preview-command";

const example = `{
  "type": "track",
  "userId": "user-1",
  "event": "Order Completed",
  "properties": { "total": 42 }
}`;

type Props = { workspace: Workspace; destination: Objects["destination"] };

/** What a destination would be sent for an event, which its plane works out and sends nowhere. */
export function Preview({ workspace, destination }: Props) {
  const [sample, setSample] = useState(example);
  const [wrong, setWrong] = useState("");
  const preview = useMutation({
    mutationFn: (events: unknown[]) =>
      previewDestination(workspace.name, {
        type: destination.type,
        ...(destination.spec ? { spec: destination.spec } : {}),
        settings: destination.settings ?? {},
        events,
      }),
  });
  const take = useMutation({
    mutationFn: () => nextEvent(workspace.name),
    onSuccess: (event) => {
      if (event !== undefined) setSample(pretty(event));
    },
  });
  const run = () => {
    const events = eventsOf(sample);
    setWrong(typeof events === "string" ? events : "");
    if (typeof events !== "string") preview.mutate(events);
  };
  return (
    <div className="grid gap-6 lg:grid-cols-2">
      <div className="min-w-0 space-y-3">
        <TextArea
          label="An event"
          hint="It goes from this browser to the data plane and nowhere else. Secrets are left out of what is shown."
          rows={14}
          mono
          spellCheck={false}
          value={sample}
          onChange={(e) => setSample(e.target.value)}
          {...(wrong ? { problem: wrong } : {})}
        />
        <div className="flex flex-wrap gap-2">
          <Button look="strong" onClick={run} disabled={preview.isPending}>
            {preview.isPending ? "Asking the plane…" : "Preview"}
          </Button>
          <Button onClick={() => take.mutate()} disabled={take.isPending}>
            {take.isPending ? <Spinner /> : null}
            {take.isPending ? "Waiting for an event…" : "Take the next live event"}
          </Button>
        </div>
        {take.error ? (
          <PlaneTrouble
            error={take.error}
            what="live events"
            command={`weir tail --workspace ${quoted(workspace.name)} --stage gateway --output json`}
            onRetry={() => take.mutate()}
          />
        ) : null}
        {take.data === undefined && take.isSuccess ? (
          <p className="text-sm text-soft">None passed within 15 seconds.</p>
        ) : null}
      </div>
      <Section title="What would be sent">
        {preview.error ? (
          <PlaneTrouble
            error={preview.error}
            command={previewCommand(destination, preview.variables ?? [])}
            onRetry={run}
          />
        ) : null}
        {preview.data?.map((line, i) => (
          // biome-ignore lint/suspicious/noArrayIndexKey: answers come in the order of the events
          <div key={i} className="space-y-2 text-sm">
            {line.dropped ? <p>Nothing: {reason(line.dropped)}.</p> : null}
            {line.error ? <p className="text-bad">It cannot be sent: {reason(line.error)}</p> : null}
            {(line.requests ?? []).map((r) => (
              <div key={`${r.method} ${r.url} ${pretty(r.body)}`} className="space-y-2">
                <p className="font-mono text-[13px] break-all">
                  <strong>{r.method}</strong> {r.url}
                </p>
                {r.headers && Object.keys(r.headers).length > 0 ? (
                  <Code
                    text={Object.entries(r.headers)
                      .map(([k, v]) => `${k}: ${String(v)}`)
                      .join("\n")}
                    name="Headers"
                  />
                ) : null}
                <Code text={bodyText(r.body)} name="Body" />
              </div>
            ))}
            {!line.dropped && !line.error && (line.requests ?? []).length === 0 ? (
              <Code text={pretty(line)} name="What would be sent" />
            ) : null}
          </div>
        ))}
        {preview.data || preview.error ? null : <p className="text-sm text-soft">The requests show here.</p>}
      </Section>
    </div>
  );
}

function bodyText(body: unknown): string {
  if (typeof body !== "string") return pretty(body);
  try {
    return pretty(JSON.parse(body));
  } catch {
    return body;
  }
}

/** The next event that passes with what it holds; undefined when none did in 15 s. */
async function nextEvent(workspace: string): Promise<unknown> {
  const signal = AbortSignal.timeout(15_000);
  try {
    for await (const line of live(workspace, { stage: "gateway" }, signal))
      if (line.kind === "sighting" && line.sighting.event !== null) return line.sighting.event;
  } catch (e) {
    if (!signal.aborted) throw e;
  }
  return undefined;
}
