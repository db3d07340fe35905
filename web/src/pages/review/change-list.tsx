import type { Change } from "../../api/drafts";
import { fieldText, kinds, ops } from "../../draft/words";
import { Badge } from "../../parts/badge";
import { Card } from "../../parts/section";
import { objectIn } from "../history/object-in";
import { Values } from "./values";

type Props = { changes: readonly Change[]; before: unknown; after: unknown };

/** What was changed, or would be, each with what it was and what it is. */
export function ChangeList({ changes, before, after }: Props) {
  return (
    <Card>
      <ul aria-label="What it changed" className="divide-y divide-line">
        {changes.map((c) => (
          <ChangeItem key={`${c.kind} ${c.name}`} change={c} before={before} after={after} />
        ))}
        {changes.length === 0 ? (
          <li className="px-4 py-3 text-sm text-soft">It changed nothing that was kept.</li>
        ) : null}
      </ul>
    </Card>
  );
}

function ChangeItem({ change: c, before: all, after: since }: { change: Change; before: unknown; after: unknown }) {
  const op = ops[c.op];
  const before = objectIn(all, c.kind, c.was ?? c.name);
  const after = objectIn(since, c.kind, c.name);
  const fields = c.fields && c.fields.length > 0 ? c.fields : differing(before, after);
  return (
    <li className="space-y-2 px-4 py-3 text-sm">
      <div className="flex flex-wrap items-center gap-x-3 gap-y-1">
        <Badge tone={op.tone}>{op.word}</Badge>
        <span className="text-soft">{kinds[c.kind]}</span>
        <span className="font-medium break-all">
          {c.was ? `${c.was} → ` : ""}
          {c.name.replace(" -> ", " → ")}
        </span>
      </div>
      {c.op === "add" || c.op === "remove" || !before || !after ? (
        c.op === "change" && fields.length > 0 ? (
          <p className="text-soft">{fields.map(fieldText).join(", ")}</p>
        ) : null
      ) : (
        <Values fields={fields} before={before} after={after} words={fieldText} />
      )}
    </li>
  );
}

function differing(before: unknown, after: unknown): string[] {
  if (typeof before !== "object" || typeof after !== "object" || !before || !after) return [];
  const [a, b] = [before as Record<string, unknown>, after as Record<string, unknown>];
  return [...new Set([...Object.keys(a), ...Object.keys(b)])].filter(
    (k) => JSON.stringify(a[k]) !== JSON.stringify(b[k]),
  );
}
