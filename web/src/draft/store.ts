import { useCallback, useMemo, useSyncExternalStore } from "react";
import { chosenOrganization } from "../api/organization";
import { type Any, type Edit, type Kind, withEdit } from "./edits";

/** What somebody wants of a workspace and has not published. reason says why, in his words. */
export type Draft = { edits: Edit[]; discardParked: boolean; reason: string };

const none: Draft = { edits: [], discardParked: false, reason: "" };
const changed = "weir:draft";
const format = 1; // of what is kept

/** Where a browser keeps the draft of a workspace. */
function place(workspace: string): string {
  return `weir draft ${chosenOrganization()}/${workspace}`;
}

const read = new Map<string, { text: string | null; draft: Draft }>();

function load(at: string): Draft {
  const text = localStorage.getItem(at);
  const known = read.get(at);
  if (known && known.text === text) return known.draft;
  const draft = parse(text);
  read.set(at, { text, draft });
  return draft;
}

function parse(text: string | null): Draft {
  if (text === null) return none;
  try {
    const kept: unknown = JSON.parse(text);
    if (typeof kept !== "object" || kept === null || !("format" in kept) || kept.format !== format) return none;
    return { ...none, ...(kept as Partial<Draft>) };
  } catch {
    return none;
  }
}

function save(at: string, draft: Draft): void {
  if (draft.edits.length === 0) localStorage.removeItem(at);
  else localStorage.setItem(at, JSON.stringify({ format, ...draft }));
  dispatchEvent(new Event(changed));
}

function subscribe(notify: () => void): () => void {
  addEventListener(changed, notify);
  addEventListener("storage", notify); // another tab edits, too
  return () => {
    removeEventListener(changed, notify);
    removeEventListener("storage", notify);
  };
}

export type Drafting = {
  draft: Draft;
  /** Puts an object into the draft: next null removes it, base null makes it. */
  edit: (kind: Kind, key: string, base: Any | null, next: Any | null) => void;
  change: (change: Partial<Draft>) => void;
  /** Takes one edit back. */
  forget: (edit: Edit) => void;
  clear: () => void;
};

/** The draft of a workspace, which this browser keeps until it is published. */
export function useDraft(workspace: string): Drafting {
  const at = place(workspace);
  const draft = useSyncExternalStore(subscribe, () => load(at));
  const change = useCallback((c: Partial<Draft>) => save(at, { ...load(at), ...c }), [at]);
  return useMemo(
    () => ({
      draft,
      change,
      edit: (kind, key, base, next) => change({ edits: withEdit(load(at).edits, { kind, key, base, next }) }),
      forget: (e) => change({ edits: load(at).edits.filter((x) => !(x.kind === e.kind && x.key === e.key)) }),
      clear: () => save(at, none),
    }),
    [draft, change, at],
  );
}
