import type { Configured } from "../../draft/configured";
import { Badge } from "../../parts/badge";
import { Card } from "../../parts/section";
import { Drafted } from "../object/drafted";
import { typedOf } from "./edit";

type Props = { configured: Configured; chosen: string | null; onChoose: (name: string) => void };

/** The transformations of a workspace, and where each runs. */
export function TransformationList({ configured, chosen, onChoose }: Props) {
  return (
    <Card>
      <ul aria-label="Transformations" className="max-h-144 divide-y divide-line overflow-y-auto max-xl:max-h-60">
        {(configured.document.transformations ?? []).map((t) => {
          const { on } = typedOf(configured.document, t.name);
          return (
            <li key={t.name}>
              <button
                type="button"
                aria-current={t.name === chosen ? "true" : undefined}
                onClick={() => onChoose(t.name)}
                className="w-full space-y-1 px-4 py-2.5 text-left text-sm hover:bg-sunken aria-[current=true]:bg-accent-wash"
              >
                <span className="flex flex-wrap items-center gap-2">
                  <span className="font-medium break-all">{t.name}</span>
                  <Drafted configured={configured} kind="transformation" name={t.name} />
                  {on.length === 0 ? <Badge tone="quiet">Not used</Badge> : null}
                </span>
                {on.length > 0 ? (
                  <span className="block text-soft">{on.map((c) => c.replace("->", "→")).join(", ")}</span>
                ) : null}
              </button>
            </li>
          );
        })}
      </ul>
    </Card>
  );
}
