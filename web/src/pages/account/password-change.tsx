import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { changePassword } from "../../api/account";
import { Button } from "../../parts/button";
import { Dialog } from "../../parts/dialog";
import { Notice } from "../../parts/notice";
import { Section } from "../../parts/section";
import { keys } from "../../queries";
import { Trouble } from "../trouble";
import { NewPassword, newPasswordOf, noPassword } from "./new-password";
import { isGiven, noProof, ProofFields } from "./proof-fields";

/** The password of the account, and another one in its place. */
export function PasswordChange({ asksForCode }: { asksForCode: boolean }) {
  const [changing, setChanging] = useState(false);
  const [changed, setChanged] = useState(false);
  return (
    <Section title="Password" hint="changing it ends every other session">
      {changed ? <Notice tone="calm" title="The password is changed, and every other session ended." /> : null}
      <Button
        onClick={() => {
          setChanged(false);
          setChanging(true);
        }}
      >
        Change password…
      </Button>
      {changing ? (
        <Changing asksForCode={asksForCode} onClose={() => setChanging(false)} onDone={() => setChanged(true)} />
      ) : null}
    </Section>
  );
}

type Props = { asksForCode: boolean; onClose: () => void; onDone: () => void };

function Changing({ asksForCode, onClose, onDone }: Props) {
  const queries = useQueryClient();
  const [proof, setProof] = useState(noProof);
  const [next, setNext] = useState(noPassword);
  const password = newPasswordOf(next);
  const change = useMutation({
    mutationFn: () => changePassword(proof, next.password),
    onSuccess: async () => {
      onDone();
      onClose();
      await queries.invalidateQueries({ queryKey: keys.sessions });
    },
  });
  return (
    <Dialog title="Change the password" onClose={onClose}>
      <form
        className="space-y-4"
        onSubmit={(e) => {
          e.preventDefault();
          if (password !== undefined) change.mutate();
        }}
      >
        <ProofFields proof={proof} asksForCode={asksForCode} onChange={setProof} />
        <NewPassword next={next} onChange={setNext} />
        {change.error ? <Trouble error={change.error} /> : null}
        <div className="flex gap-2">
          <Button
            look="strong"
            type="submit"
            disabled={change.isPending || password === undefined || !isGiven(proof, asksForCode)}
          >
            {change.isPending ? "Changing…" : "Change it"}
          </Button>
          <Button onClick={onClose}>Cancel</Button>
        </div>
      </form>
    </Dialog>
  );
}
