import type { WorkspaceDocument } from "../../api/client";
import { type Draft, keyOf } from "./edit";

type Props = { document: WorkspaceDocument; draft: Draft; onChange: (on: string[]) => void };

/** On which connections a transformation runs. */
export function Attachments({ document, draft, onChange }: Props) {
  const connections = document.connections ?? [];
  if (connections.length === 0)
    return (
      <p className="text-sm text-soft">The workspace has no connection yet that could run it. Add one to its file.</p>
    );
  return (
    <fieldset className="space-y-1">
      <legend className="mb-1 text-sm font-medium">Runs on</legend>
      {connections.map((c) => {
        const key = keyOf(c);
        const others = (c.transformations ?? []).filter((t) => t !== draft.name);
        return (
          <label key={key} className="flex min-h-8 flex-wrap items-center gap-x-2 text-sm">
            <input
              type="checkbox"
              checked={draft.on.includes(key)}
              onChange={(e) => onChange(e.target.checked ? [...draft.on, key] : draft.on.filter((k) => k !== key))}
              className="size-4 accent-accent"
            />
            {c.source} → {c.destination}
            {others.length > 0 ? <span className="text-soft">beside {others.join(", ")}</span> : null}
          </label>
        );
      })}
    </fieldset>
  );
}
