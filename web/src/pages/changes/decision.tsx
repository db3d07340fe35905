import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { approve, type ChangeRequest, reject, withdraw } from "../../api/changes";
import { useFollowing } from "../../draft/publish";
import { useHere } from "../../frame/place";
import { actorText } from "../../parts/actor";
import { Button } from "../../parts/button";
import { Command } from "../../parts/command";
import { Input } from "../../parts/input";
import { Section } from "../../parts/section";
import { keys } from "../../queries";
import { quoted } from "../plane-trouble";
import { Trouble } from "../trouble";

/** Approves or rejects another one's change; withdraws the own one. */
export function Decision({ change: c }: { change: ChangeRequest }) {
  const { me } = useHere();
  const queries = useQueryClient();
  const following = useFollowing(c.workspace);
  const [note, setNote] = useState("");
  const own = actorText(c.author) === me.email;
  const again = {
    onSettled: () =>
      Promise.all([
        queries.invalidateQueries({ queryKey: keys.change(c.workspace, c.number) }),
        queries.invalidateQueries({ queryKey: keys.changes() }),
        queries.invalidateQueries({ queryKey: keys.status() }),
        queries.invalidateQueries({ queryKey: keys.config(c.workspace) }),
        queries.invalidateQueries({ queryKey: keys.revisions(c.workspace) }),
      ]),
  };
  const yes = useMutation({
    mutationFn: async () => {
      const began = Date.now();
      following(await approve(c.workspace, c.number, note), began);
    },
    ...again,
  });
  const no = useMutation({ mutationFn: () => (own ? withdraw : reject)(c.workspace, c.number, note), ...again });
  const busy = yes.isPending || no.isPending;
  const error = yes.error ?? no.error;
  const said = note.trim() === "" ? "" : ` --message ${quoted(note.trim())}`;
  return (
    <Section title={own ? "It is your own" : "Decide"}>
      <div className="max-w-xl space-y-4 text-sm">
        {own ? <p className="text-soft">Another person who may approve changes here decides about it.</p> : null}
        <Input
          label={own ? "Why you take it back" : "What to tell the author"}
          optional={own}
          hint={own ? undefined : "Kept with the change. A rejection says why."}
          maxLength={2000}
          value={note}
          onChange={(e) => setNote(e.target.value)}
        />
        {error ? <Trouble error={error} /> : null}
        <div className="flex flex-wrap gap-2">
          {own ? null : (
            <Button look="strong" onClick={() => yes.mutate()} disabled={busy}>
              {yes.isPending ? "Publishing…" : "Approve and publish"}
            </Button>
          )}
          <Button onClick={() => no.mutate()} disabled={busy || (!own && note.trim() === "")}>
            {own ? "Withdraw" : "Reject"}
          </Button>
        </div>
        <Command
          text={
            own
              ? `weir change withdraw ${c.number}${said}`
              : `weir change approve ${c.number}${said}\nweir change reject ${c.number}${said || " --message WHY"}`
          }
          name="the commands that do the same"
        />
      </div>
    </Section>
  );
}
