import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import type { Proof } from "../../api/account";
import { asksForCode as asks } from "../../api/client";
import { Button } from "../../parts/button";
import { keys } from "../../queries";
import { Trouble } from "../trouble";
import { isGiven, noProof, ProofFields } from "./proof-fields";

type Props = {
  asksForCode: boolean;
  act: string;
  danger?: boolean;
  onProof: (proof: Proof) => Promise<unknown>;
  onDone?: () => void;
  onCancel: () => void;
};

/** Does something for which somebody shows that the account is theirs. */
export function Proving({ asksForCode, act, danger = false, onProof, onDone, onCancel }: Props) {
  const queries = useQueryClient();
  const [proof, setProof] = useState(noProof);
  const prove = useMutation({
    mutationFn: onProof,
    onSuccess: async () => {
      onDone?.();
      await Promise.all([
        queries.invalidateQueries({ queryKey: keys.authenticator }),
        queries.invalidateQueries({ queryKey: keys.sessions }),
      ]);
    },
  });
  const code = asksForCode || asks(prove.error);
  return (
    <form
      className="space-y-4"
      onSubmit={(e) => {
        e.preventDefault();
        prove.mutate(proof);
      }}
    >
      <ProofFields proof={proof} asksForCode={code} onChange={setProof} />
      {prove.error ? <Trouble error={prove.error} /> : null}
      <div className="flex gap-2">
        <Button look={danger ? "danger" : "strong"} type="submit" disabled={prove.isPending || !isGiven(proof, code)}>
          {prove.isPending ? "One moment…" : act}
        </Button>
        <Button onClick={onCancel}>Cancel</Button>
      </div>
    </form>
  );
}
