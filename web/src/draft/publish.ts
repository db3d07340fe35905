import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useSyncExternalStore } from "react";
import { status } from "../api/client";
import { type Proposal, publish } from "../api/drafts";
import { keys } from "../queries";
import type { Configured } from "./configured";

/** How far a revision is that was published here. took is in ms. */
export type Ack =
  | { state: "sent"; workspace: string; number: number }
  | { state: "running"; workspace: string; number: number; plane: string; took: number }
  | { state: "rejected" | "late"; workspace: string; number: number; plane: string };

const lookEvery = 120; // ms
const waitAtMost = 30_000;
const shownFor = 12_000;
const told = "weir:ack";
let last: Ack | null = null;

export function tell(ack: Ack | null): void {
  last = ack;
  dispatchEvent(new Event(told));
}

/** What became of the last revision that was published here; null when there is nothing to say. */
export function useAck(): Ack | null {
  return useSyncExternalStore(
    (notify) => {
      addEventListener(told, notify);
      return () => removeEventListener(told, notify);
    },
    () => last,
  );
}

/** Waits until the workspace's plane runs a revision, and says so. */
async function follow(workspace: string, number: number, since: number): Promise<Ack> {
  for (;;) {
    const all = await status(undefined, workspace).catch(() => undefined); // the next look may succeed
    const now = all?.workspaces.find((w) => w.name === workspace);
    const plane = all?.planes.find((p) => p.id === now?.plane)?.name ?? "the plane";
    const took = Date.now() - since;
    if (now && now.running >= number) return { state: "running", workspace, number, plane, took };
    if (now?.state === "rejected" && now.number >= number) return { state: "rejected", workspace, number, plane };
    if (took > waitAtMost) return { state: "late", workspace, number, plane };
    await new Promise((done) => setTimeout(done, lookEvery));
  }
}

const attempts = new Map<string, string>();

/** The same key for the same proposal, so that an answer that was lost is got again and nothing is done twice. */
function keyFor(proposal: Proposal, etag: string): string {
  const text = JSON.stringify([proposal, etag]);
  const known = attempts.get(text);
  if (known) return known;
  const key = [...crypto.getRandomValues(new Uint8Array(16))].map((b) => b.toString(16).padStart(2, "0")).join("");
  attempts.set(text, key);
  return key;
}

/** Follows a revision that was published, and tells how far it is. */
export function useFollowing(workspace: string) {
  const queries = useQueryClient();
  return (number: number, began: number) => {
    tell({ state: "sent", workspace, number });
    void follow(workspace, number, began).then(async (ack) => {
      tell(ack);
      await queries.invalidateQueries({ queryKey: keys.status() });
      setTimeout(() => {
        if (last === ack && ack.state === "running") tell(null);
      }, shownFor);
    });
  };
}

/**
 * Publishes the draft over what it was shown against, and then shows how far the revision is. A Problem of status 412
 * when somebody published meanwhile; the draft stays, and is merged with that. What needs another person waits as a
 * change, which the answer names.
 */
export function usePublish(workspace: string) {
  const queries = useQueryClient();
  const following = useFollowing(workspace);
  return useMutation({
    mutationFn: async ({ document, etag, draft, clear }: Configured) => {
      const proposal = { document, discardParked: draft.discardParked };
      const began = Date.now();
      tell(null); // what became of the former revision would be taken for what becomes of this one
      const done = await publish(proposal, etag, keyFor(proposal, etag), draft.reason);
      clear();
      if (!done.waits) following(done.number, began);
      return done;
    },
    onSettled: () =>
      Promise.all([
        queries.invalidateQueries({ queryKey: keys.config(workspace) }),
        queries.invalidateQueries({ queryKey: keys.revisions(workspace) }),
        queries.invalidateQueries({ queryKey: keys.status() }),
        queries.invalidateQueries({ queryKey: keys.changes() }),
      ]),
  });
}
