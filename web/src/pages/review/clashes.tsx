import type { Configured } from "../../draft/configured";
import type { Clash } from "../../draft/edits";
import { fieldText, kinds } from "../../draft/words";
import { Button } from "../../parts/button";
import { Notice } from "../../parts/notice";
import { shown } from "./values";

/** What somebody else changed in the same places, with the choice whose goes. */
export function Clashes({ configured: { clashes, draft, forget } }: { configured: Configured }) {
  if (clashes.length === 0) return null;
  const giveUp = (c: Clash) => {
    const edit = draft.edits.find((e) => e.kind === c.kind && e.key === c.key);
    if (edit) forget(edit);
  };
  return (
    <Notice tone="warn" title="Somebody else changed the same meanwhile. Publishing puts yours over it.">
      <ul className="space-y-2">
        {clashes.map((c) => (
          <li key={`${c.kind} ${c.key} ${c.field}`} className="space-y-1">
            <p>
              {kinds[c.kind]} <span className="font-medium">{c.key.replace(" -> ", " → ")}</span>
              {c.field ? `, ${fieldText(c.field)}` : ""}: {said(c)}
            </p>
            <Button onClick={() => giveUp(c)}>Keep theirs</Button>
          </li>
        ))}
      </ul>
    </Notice>
  );
}

function said(c: Clash): string {
  if (c.field === "" && c.theirs === null) return "it was removed; publishing makes it again.";
  if (c.field === "") return "one of this name was made; publishing changes it to yours.";
  if (c.field.startsWith("secrets")) return "both of you gave a new value.";
  return `theirs is “${shown(c.theirs) || "nothing"}”, yours is “${shown(c.mine) || "nothing"}”.`;
}
