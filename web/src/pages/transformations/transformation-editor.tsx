import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useId, useState } from "react";
import { apply, type Config, config } from "../../api/client";
import { Button } from "../../parts/button";
import { Editor } from "../../parts/editor";
import { keys } from "../../queries";
import { Attachments } from "./attachments";
import { CodeProblems } from "./code-problems";
import { draftOf, withDraft } from "./edit";
import { Sample } from "./sample";

type Props = { opened: Config; name: string; onSaved: (name: string) => void };

/** One transformation to write, try and save; name is "" for a new one. It is saved over what was opened, not over what came since. */
export function TransformationEditor({ opened, name, onSaved }: Props) {
  const queries = useQueryClient();
  const [base, setBase] = useState(opened);
  const [draft, setDraft] = useState(() => draftOf(opened.document, name));
  const id = useId();
  const workspace = base.document.workspace;
  const changed = JSON.stringify(draft) !== JSON.stringify(draftOf(base.document, name));
  const save = useMutation({
    mutationFn: async () => {
      await apply({ document: withDraft(base.document, draft), etag: base.etag });
      return await config(workspace);
    },
    onSuccess: (fresh) => {
      queries.setQueryData(keys.config(workspace), fresh);
      setBase(fresh);
      onSaved(draft.name);
    },
  });
  const own = withDraft(base.document, draft).transformations?.findIndex((t) => t.name === draft.name) ?? 0;
  const taken = name === "" && (base.document.transformations ?? []).some((t) => t.name === draft.name);
  return (
    <section aria-label={name === "" ? "New transformation" : `Transformation ${name}`} className="space-y-5">
      {name === "" ? (
        <div className="max-w-sm space-y-1.5">
          <label htmlFor={id} className="block text-sm font-medium">
            Name
          </label>
          <input
            id={id}
            value={draft.name}
            onChange={(e) => setDraft({ ...draft, name: e.target.value.trim() })}
            aria-describedby={`${id}-hint`}
            className="h-10 w-full rounded-lg border border-edge bg-card px-3 text-base text-ink"
          />
          <p id={`${id}-hint`} className="text-sm text-soft">
            {taken ? "There is one of that name already; choose another name." : "Small letters, digits and dashes."}
          </p>
        </div>
      ) : (
        <h2 className="text-base font-semibold break-all">{name}</h2>
      )}
      <div className="grid gap-5 lg:grid-cols-2">
        <div className="min-w-0 space-y-3">
          <Editor
            name={name === "" ? "Code of the new transformation" : `Code of ${name}`}
            initial={draft.code}
            onChange={(code) => setDraft((d) => ({ ...d, code }))}
          />
          <Attachments document={base.document} draft={draft} onChange={(on) => setDraft({ ...draft, on })} />
        </div>
        <Sample workspace={workspace} draft={draft} libraries={base.document.libraries ?? []} />
      </div>
      {save.error ? <CodeProblems error={save.error} own={`transformations[${own}]`} /> : null}
      <Button
        look="strong"
        disabled={!changed || draft.name === "" || taken || save.isPending}
        onClick={() => save.mutate()}
      >
        {save.isPending ? "Saving…" : "Save"}
      </Button>
    </section>
  );
}
