import { useMutation } from "@tanstack/react-query";
import { useEffect, useRef, useState } from "react";
import { heldEvents, isRecord, live } from "../../api/events";
import { type Outcome, previewTransformation } from "../../api/preview";
import { Problem } from "../../api/problem";
import { pretty } from "../../parts/code";
import { eventsOf } from "./edit";

const first = pretty({
  type: "track",
  messageId: "sample-1",
  userId: "user-1",
  event: "Order Completed",
  properties: { total: 12.5 },
});

const heldAtMost = 10; // events that become a sample at once

/** Where samples come from, besides the keyboard. */
export type From = "live" | "dead" | "quarantine";

/** Sample events of a workspace, and their run through code on its plane. */
export function useSample(workspace: string, code: string, libraries: { name: string; code: string }[]) {
  const [sample, setSample] = useState(first);
  const run = useMutation({
    mutationFn: async (): Promise<Outcome[]> => {
      const events = eventsOf(sample);
      if (typeof events === "string") throw new Problem(400, events, "");
      const used = libraries.map((l) => ({ name: l.name, code: l.code }));
      return await previewTransformation(workspace, { code, libraries: used, events });
    },
  });
  const waiting = useRef<AbortController>(null);
  useEffect(() => () => waiting.current?.abort(), []);
  const take = useMutation({
    mutationFn: async (from: From) => {
      waiting.current = new AbortController();
      const { signal } = waiting.current;
      const text = from === "live" ? await next(workspace, signal) : await held(workspace, from, signal);
      if (text !== "") setSample(text);
      return text !== "";
    },
  });
  return {
    sample,
    setSample,
    run,
    take,
    stop: () => waiting.current?.abort(),
    stopped: () => waiting.current?.signal.aborted,
  };
}

export type Sampling = ReturnType<typeof useSample>;

/** The next event that comes in, as text. */
async function next(workspace: string, signal: AbortSignal): Promise<string> {
  while (!signal.aborted) {
    for await (const line of live(workspace, { stage: "gateway", outcome: "accepted" }, signal))
      if (line.kind === "sighting" && isRecord(line.sighting.event)) return pretty(line.sighting.event);
    await new Promise((done) => setTimeout(done, 1000)); // the stream ended with its capability
  }
  throw signal.reason;
}

/** Events that failed or were refused, one a line; "" when there are none. */
async function held(workspace: string, shelf: "dead" | "quarantine", signal: AbortSignal): Promise<string> {
  const { items } = await heldEvents(workspace, shelf, {}, "", signal, heldAtMost);
  const events = items.map((i) => i.event).filter(isRecord);
  return events.length === 1 ? pretty(events[0]) : events.map((e) => JSON.stringify(e)).join("\n");
}
