import type { Change } from "../../api/drafts";
import type { Configured } from "../../draft/configured";
import { type Any, type Kind, keyOf, objectsOf } from "../../draft/edits";
import { fieldText, kinds, ops } from "../../draft/words";
import { Badge } from "../../parts/badge";
import { Button } from "../../parts/button";
import { Card } from "../../parts/section";
import { Values } from "./values";

/** The objects that publishing changes, each with what it was and what it will be. */
export function Changes({ changes, configured }: { changes: Change[]; configured: Configured }) {
  const { draft, forget, published, document } = configured;
  if (changes.length === 0)
    return <p className="text-sm text-soft">These changes make no difference to what is published.</p>;
  return (
    <Card>
      <ul aria-label="Changes" className="divide-y divide-line">
        {changes.map((c) => {
          const op = ops[c.op];
          const edit = draft.edits.find((e) => e.kind === c.kind && (e.key === c.name || e.key === c.was));
          const kind = c.kind === "workspace" ? undefined : (c.kind as Kind);
          const before = kind && pick(objectsOf(published, kind), c.was ?? c.name);
          const after = kind && pick(objectsOf(document, kind), c.name);
          return (
            <li key={`${c.kind} ${c.name}`} className="space-y-2 px-4 py-3 text-sm">
              <div className="flex flex-wrap items-center gap-x-3 gap-y-1">
                <Badge tone={op.tone}>{op.word}</Badge>
                <span className="text-soft">{kinds[c.kind]}</span>
                <span className="font-medium break-all">
                  {c.was ? `${c.was} → ` : ""}
                  {c.name.replace(" -> ", " → ")}
                </span>
                {edit ? (
                  <span className="ml-auto">
                    <Button onClick={() => forget(edit)} aria-label={`Take back the change of ${c.name}`}>
                      Take back
                    </Button>
                  </span>
                ) : null}
              </div>
              {c.op === "change" || c.op === "rename" ? (
                <Values fields={c.fields ?? []} before={before} after={after} words={fieldText} />
              ) : null}
            </li>
          );
        })}
      </ul>
    </Card>
  );
}

function pick(all: Any[], key: string): Any | undefined {
  return all.find((o) => keyOf(o) === key);
}
