import type { WorkspaceDocument } from "../../api/client";
import { Link } from "../../parts/link";
import { keyOf } from "./edit";

type Props = {
  document: WorkspaceDocument;
  /** The transformation's name in the document. */
  name: string;
  on: string[];
  onChange: (on: string[]) => void;
  connections: string;
};

/** On which connections a transformation runs. */
export function Attachments({ document, name, on, onChange, connections: page }: Props) {
  const connections = document.connections ?? [];
  if (connections.length === 0)
    return (
      <p className="text-sm text-soft">
        The workspace has no connection yet that could run it. <Link href={page}>Connect a source</Link> first.
      </p>
    );
  return (
    <fieldset className="space-y-1">
      <legend className="mb-1 text-sm font-medium">Runs on</legend>
      <div className="max-h-56 overflow-y-auto">
        {connections.map((c) => {
          const key = keyOf(c);
          const others = (c.transformations ?? []).filter((t) => t !== name);
          return (
            <label key={key} className="flex min-h-8 flex-wrap items-center gap-x-2 text-sm">
              <input
                type="checkbox"
                checked={on.includes(key)}
                onChange={(e) => onChange((e.target.checked ? [...on, key] : on.filter((k) => k !== key)).sort())}
                className="size-4 accent-accent"
              />
              {c.source} → {c.destination}
              {others.length > 0 ? <span className="text-soft">beside {others.join(", ")}</span> : null}
            </label>
          );
        })}
      </div>
    </fieldset>
  );
}
