import { useMutation } from "@tanstack/react-query";
import { useState } from "react";
import { difference } from "../../api/drafts";
import type { Configured } from "../../draft/configured";
import { type Any, type Kind, keyOf, merge, type Objects, objectsOf, withEdit } from "../../draft/edits";
import { placeOf } from "../review/problems";

type Wanted<K extends Kind> = {
  kind: K;
  configured: Configured;
  /** What the object was called when the form opened; a new one's name may still change. */
  key: string;
  isNew: boolean;
  onDone?: ((object: Objects[K]) => void) | undefined;
};

/**
 * Puts an object into the draft once the control plane finds nothing wrong with it; what it finds stands under the
 * fields' paths, such as mapping.email, "" for the whole.
 */
export function useAdd<K extends Kind>({ kind, configured, key, isNew, onDone }: Wanted<K>) {
  const [problems, setProblems] = useState<Readonly<Record<string, string>>>({});
  const add = useMutation({
    mutationFn: async ({ object, found }: { object: Objects[K]; found: Record<string, string> }) => {
      if (Object.keys(found).length > 0) return void setProblems(found);
      const base = isNew ? null : (publishedOf(configured, kind, key) ?? null);
      const edits = withEdit(configured.draft.edits, { kind, key, base, next: object });
      const { document } = merge(configured.published, edits);
      const said = await difference({ document, discardParked: true });
      const mine: Record<string, string> = {};
      for (const p of said.problems) {
        const at = placeOf(p.path, document);
        if (at?.kind === kind && at.key === keyOf(object)) mine[at.field] ??= p.text;
      }
      setProblems(mine);
      if (Object.keys(mine).length > 0) return undefined;
      configured.edit(kind, key, base, object);
      return object;
    },
    onSuccess: (object) => {
      if (object) onDone?.(object);
    },
  });
  return { add, problems };
}

/** The object that is published, by its identifier when it was renamed in the draft. */
export function publishedOf<K extends Kind>(configured: Configured, kind: K, key: string): Objects[K] | undefined {
  const drafted = (objectsOf(configured.document, kind) as Any[]).find((o) => keyOf(o) === key);
  const id = drafted && "id" in drafted ? drafted.id : undefined;
  const all = objectsOf(configured.published, kind);
  return all.find((o) => (id && "id" in o ? o.id === id : keyOf(o as Any) === key));
}
