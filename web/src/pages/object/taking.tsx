import { type ReactNode, useState } from "react";
import type { Configured } from "../../draft/configured";
import { type Kind, keyOf, objectsOf } from "../../draft/edits";
import { Button } from "../../parts/button";
import { Dialog } from "../../parts/dialog";
import { Input } from "../../parts/input";
import { go } from "../../parts/path";
import { publishedOf } from "./use-add";

type Props = {
  kind: Kind;
  name: string;
  configured: Configured;
  after: string;
  /** What needs it, such as "the sync contacts": it cannot go before. */
  held?: readonly string[];
  /** What goes with it, as its plane says now. */
  children?: ReactNode;
};

/** Removes an object of no events of its own once its name was typed. */
export function Taking({ kind, name, configured, after, held = [], children }: Props) {
  const [open, setOpen] = useState(false);
  const [typed, setTyped] = useState("");
  const close = () => {
    setOpen(false);
    setTyped("");
  };
  const remove = () => {
    const drafted = objectsOf(configured.document, kind).some((o) => keyOf(o) === name);
    if (drafted) configured.edit(kind, name, publishedOf(configured, kind, name) ?? null, null);
    close();
    go(after);
  };
  return (
    <>
      <Button onClick={() => setOpen(true)}>Remove…</Button>
      {open ? (
        <Dialog title={`Remove ${name}`} onClose={close}>
          {children}
          {held.length > 0 ? (
            <p className="text-warn">It is needed by {held.join(", ")}. Change or remove that first.</p>
          ) : (
            <p>It is removed when you publish; until then you can take it back.</p>
          )}
          <form
            className="space-y-4"
            onSubmit={(e) => {
              e.preventDefault();
              if (typed === name && held.length === 0) remove();
            }}
          >
            {held.length > 0 ? null : (
              <Input label={`Type ${name} to remove it`} value={typed} onChange={(e) => setTyped(e.target.value)} />
            )}
            <div className="flex gap-2">
              {held.length > 0 ? null : (
                <Button look="danger" type="submit" disabled={typed !== name}>
                  Remove
                </Button>
              )}
              <Button onClick={close}>Keep it</Button>
            </div>
          </form>
        </Dialog>
      ) : null}
    </>
  );
}
