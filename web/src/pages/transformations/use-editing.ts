import { useMutation } from "@tanstack/react-query";
import { useState } from "react";
import { difference } from "../../api/drafts";
import type { FieldProblem } from "../../api/problem";
import type { Configured } from "../../draft/configured";
import { type Edit, find, merge, type Objects, same, withEdit } from "../../draft/edits";
import { useUnsaved } from "../../draft/unsaved";
import { placeOf } from "../review/problems";
import { keyOf, rechained, type Typed, typedOf } from "./edit";

/** What somebody types of one transformation, on its way into the draft; name is "" for a new one. */
export function useEditing(configured: Configured, name: string, onAdded: (name: string) => void) {
  const now = typedOf(configured.document, name);
  const there = find(configured.document, "transformation", name);
  const published = find(configured.published, "transformation", name) ?? byId(configured, there?.id);
  const [opened, setOpened] = useState({ typed: now, base: published ?? null });
  const [typed, setTyped] = useState(now);
  const [shown, setShown] = useState(0); // one more each time when the editor gets another text
  const [problems, setProblems] = useState<readonly FieldProblem[]>([]);
  const unsaved = useUnsaved<Typed>(configured.document.workspace, `transformation/${there?.id ?? name}`);
  const changed = !same(typed, now);
  if (name !== "" && !same(now, opened.typed) && same(typed, opened.typed)) {
    // somebody else changed it, and nothing is typed here yet
    setOpened({ typed: now, base: published ?? null });
    setTyped(now);
    setShown(shown + 1);
  }
  const put = (next: Typed) => {
    setTyped(next);
    unsaved.keep(same(next, now) ? undefined : next);
  };
  const add = useMutation({
    mutationFn: async () => {
      const base = same(now, opened.typed) ? (published ?? null) : opened.base;
      const edits = editsOf(configured, name, typed, there, base);
      let all = configured.draft.edits;
      for (const e of edits) all = withEdit(all, e);
      const { document } = merge(configured.published, all);
      const said = await difference({ document, discardParked: true });
      const mine = said.problems.filter((p) => {
        const at = placeOf(p.path, document);
        return at?.kind === "transformation" && at.key === typed.name;
      });
      setProblems(mine);
      if (mine.length > 0) return "";
      for (const e of edits) configured.edit(e.kind, e.key, e.base, e.next);
      setOpened({ typed, base });
      unsaved.keep(undefined);
      unsaved.dropFormer();
      return typed.name;
    },
    onSuccess: (added) => {
      if (added !== "") onAdded(added);
    },
  });
  const replace = (next: Typed) => {
    put(next);
    setShown(shown + 1);
  };
  const former = unsaved.former && !same(unsaved.former.value, typed) ? unsaved.former : undefined;
  return {
    typed,
    put,
    replace,
    shown,
    changed,
    problems,
    add,
    former,
    dropFormer: unsaved.dropFormer,
    published,
    keep: unsaved.keep,
  };
}

/** Everything that a change of a transformation edits: itself, and the connections that run it or do so no more. */
function editsOf(
  configured: Configured,
  name: string,
  typed: Typed,
  there: Objects["transformation"] | undefined,
  base: Objects["transformation"] | null,
): Edit[] {
  const next = { ...(there ?? { language: "javascript" }), name: typed.name, code: typed.code };
  const own: Edit = { kind: "transformation", key: name || typed.name, base, next };
  const chains = rechained(configured.document, name, typed).map((c): Edit => {
    const key = keyOf(c);
    return { kind: "connection", key, base: find(configured.published, "connection", key) ?? null, next: c };
  });
  return [own, ...chains];
}

function byId(configured: Configured, id: string | undefined) {
  return id === undefined ? undefined : configured.published.transformations?.find((t) => t.id === id);
}
