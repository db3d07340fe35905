import type { WorkspaceDocument } from "../../api/client";
import { Badge } from "../../parts/badge";
import { Card } from "../../parts/section";
import { draftOf } from "./edit";

type Props = { document: WorkspaceDocument; chosen: string | null; onChoose: (name: string) => void };

/** The transformations of a workspace, and where each runs. */
export function TransformationList({ document, chosen, onChoose }: Props) {
  return (
    <Card>
      <ul aria-label="Transformations" className="divide-y divide-line">
        {(document.transformations ?? []).map((t) => {
          const { on } = draftOf(document, t.name);
          return (
            <li key={t.name}>
              <button
                type="button"
                aria-current={t.name === chosen ? "true" : undefined}
                onClick={() => onChoose(t.name)}
                className="flex w-full flex-wrap items-center gap-3 px-4 py-3 text-left text-sm hover:bg-sunken aria-[current=true]:bg-sunken"
              >
                <span className="font-semibold break-all">{t.name}</span>
                <span className="text-soft">{on.map((c) => c.replace("->", "→")).join(", ")}</span>
                <span className="ml-auto">
                  {on.length === 0 ? <Badge tone="quiet">Not used</Badge> : <Badge tone="good">In use</Badge>}
                </span>
              </button>
            </li>
          );
        })}
      </ul>
    </Card>
  );
}
