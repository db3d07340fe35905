import { useState } from "react";
import type { Configured } from "../../draft/configured";
import { Button } from "../../parts/button";
import { Dialog } from "../../parts/dialog";
import { Input } from "../../parts/input";
import { go } from "../../parts/path";
import { type List, takeMember } from "./use-member";
import type { Profile } from "./use-set";
import type { Use } from "./uses";

type Props = {
  configured: Configured;
  profile: Profile;
  list: List;
  name: string;
  uses: Use[];
  after: string;
  /** What else to know before it goes. */
  note?: string;
};

/** Removes a feature, a score, an audience or an input once its name was typed; what is used cannot go. */
export function TakingMember({ configured, profile, list, name, uses, after, note }: Props) {
  const [open, setOpen] = useState(false);
  const [typed, setTyped] = useState("");
  const close = () => {
    setOpen(false);
    setTyped("");
  };
  return (
    <>
      <Button onClick={() => setOpen(true)}>Remove…</Button>
      {open ? (
        <Dialog title={`Remove ${name}`} onClose={close}>
          {uses.length > 0 ? (
            <p className="text-warn">
              It is used by {uses.map((u) => u.text).join(", ")}. Change or remove that first.
            </p>
          ) : (
            <p>It is removed when you publish; until then you can take it back.</p>
          )}
          {note ? <p>{note}</p> : null}
          <form
            className="space-y-4"
            onSubmit={(e) => {
              e.preventDefault();
              if (typed !== name || uses.length > 0) return;
              takeMember(configured, profile, list, name);
              close();
              go(after);
            }}
          >
            {uses.length > 0 ? null : (
              <Input label={`Type ${name} to remove it`} value={typed} onChange={(e) => setTyped(e.target.value)} />
            )}
            <div className="flex gap-2">
              {uses.length > 0 ? null : (
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
