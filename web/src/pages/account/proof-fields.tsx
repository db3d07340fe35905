import type { Proof } from "../../api/account";
import { Input } from "../../parts/input";

export const noProof: Proof = { password: "", code: "" };

type Props = { proof: Proof; asksForCode: boolean; onChange: (proof: Proof) => void };

/** What shows that somebody has the account: the password, and a code where it has an authenticator. */
export function ProofFields({ proof, asksForCode, onChange }: Props) {
  return (
    <>
      <Input
        label="Password of your account"
        type="password"
        autoComplete="current-password"
        required
        value={proof.password}
        onChange={(e) => onChange({ ...proof, password: e.target.value })}
      />
      {asksForCode ? (
        <Input
          label="One-time code"
          autoComplete="one-time-code"
          required
          hint="Six digits of the authenticator app, or a recovery code."
          value={proof.code}
          onChange={(e) => onChange({ ...proof, code: e.target.value })}
        />
      ) : null}
    </>
  );
}

/** Whether everything that is asked for was given. */
export function isGiven(proof: Proof, asksForCode: boolean): boolean {
  return proof.password !== "" && (!asksForCode || proof.code.trim() !== "");
}
