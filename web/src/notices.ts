import { type QueryClient, type QueryKey, useQueryClient } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import type { Status } from "./api/client";
import { listen, type Notice } from "./api/notices";
import { keys } from "./queries";

const together = 500; // ms, in which what changes is asked for once

/** Asks anew for what the control plane says has changed. Whether it says so now; while not, pages ask now and then. */
export function useNotices(): boolean {
  const queries = useQueryClient();
  const [live, setLive] = useState(false);
  useEffect(() => {
    const stale = new Map<string, QueryKey>();
    let timer: ReturnType<typeof setTimeout> | undefined;
    const refresh = () => {
      timer = undefined;
      for (const queryKey of stale.values()) queries.invalidateQueries({ queryKey });
      stale.clear();
    };
    const end = listen({
      live: setLive,
      notice: (n) => {
        if (patched(queries, n)) return;
        for (const key of changedBy(n)) stale.set(JSON.stringify(key), key);
        timer ??= setTimeout(refresh, together);
      },
    });
    return () => {
      clearTimeout(timer);
      end();
    };
  }, [queries]);
  return live;
}

/** The keys, or beginnings of keys, of what a notice makes stale. */
function changedBy(n: Notice): QueryKey[] {
  switch (n.kind) {
    case "sync":
    case "me":
      return [
        keys.me,
        ["status"],
        ["workspaces"],
        ["config"],
        ["revisions"],
        ["members"],
        ["invitations"],
        ["tokens"],
        ["audit"],
        ["changes"],
      ];
    case "workspace":
      return [
        ["status"],
        ["workspaces"],
        ...(n.workspace ? [keys.config(n.workspace), keys.revisions(n.workspace)] : []),
      ];
    case "status":
    case "plane":
      return [["status"]];
    case "audit":
      return [["audit"], ["changes"], ["policies"], ["roles"], ["sign-in"], ["identity-provider"]];
    case "members":
      return [["members"], ["invitations"]];
    default:
      return [[n.kind]];
  }
}

/** Puts what a plane says of itself where it is shown. False: it has to be asked for. */
function patched(queries: QueryClient, n: Notice): boolean {
  const { plane, state } = n;
  const known = queries.getQueriesData<Status>({ queryKey: keys.status() });
  if (!plane || !state || !known.some(([, now]) => now?.planes.some((p) => p.id === plane))) return false;
  for (const [key, now] of known) {
    if (!now) continue;
    const planes = now.planes.map((p) => (p.id === plane ? { ...p, ...state } : p));
    queries.setQueryData<Status>(key, { ...now, planes });
  }
  return true;
}
