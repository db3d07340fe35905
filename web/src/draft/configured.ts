import { useQuery } from "@tanstack/react-query";
import { useMemo } from "react";
import type { WorkspaceDocument } from "../api/client";
import { configOf } from "./config-of";
import { type Clash, merge } from "./edits";
import { type Drafting, useDraft } from "./store";

export type Configured = Drafting & {
  /** What is published, and what it is with the draft in it. */
  published: WorkspaceDocument;
  document: WorkspaceDocument;
  etag: string;
  clashes: Clash[];
};

/** A workspace's configuration with the draft of this browser in it. data is absent while it loads, and when it failed. */
export function useConfigured(workspace: string): {
  data: Configured | undefined;
  error: Error | null;
  isPending: boolean;
  refetch: () => void;
} {
  const now = useQuery(configOf(workspace));
  const drafting = useDraft(workspace);
  const data = useMemo(() => {
    if (!now.data) return undefined;
    const { document: published, etag } = now.data;
    return { ...drafting, published, etag, ...merge(published, drafting.draft.edits) };
  }, [now.data, drafting]);
  return { data, error: now.error, isPending: now.isPending, refetch: () => void now.refetch() };
}
