import type { Configured } from "../../draft/configured";
import { type Kind, keyOf } from "../../draft/edits";
import { Badge } from "../../parts/badge";

/** Whether an object is drafted: made, changed, or unchanged. */
export function draftOf(c: Configured, kind: Kind, key: string): "new" | "changed" | undefined {
  const edit = c.draft.edits.find((e) => e.kind === kind && e.next !== null && keyOf(e.next) === key);
  if (!edit) return undefined;
  return edit.base ? "changed" : "new";
}

/** Says that an object, or a change of it, is not published yet. */
export function Drafted({ configured, kind, name }: { configured: Configured; kind: Kind; name: string }) {
  const state = draftOf(configured, kind, name);
  if (!state) return null;
  return <Badge tone="quiet">{state === "new" ? "Draft" : "Changed, not published"}</Badge>;
}
