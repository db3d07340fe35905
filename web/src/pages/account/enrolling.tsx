import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { confirm, type Enrolment, enrol, type Proof } from "../../api/account";
import { Button } from "../../parts/button";
import { Command } from "../../parts/command";
import { Dialog } from "../../parts/dialog";
import { Input } from "../../parts/input";
import { keys } from "../../queries";
import { Trouble } from "../trouble";
import { Proving } from "./proving";
import { RecoveryCodes } from "./recovery-codes";

type Step = { at: "prove" } | { at: "scan"; made: Enrolment } | { at: "keep"; codes: string[] };

/** Makes an authenticator: the password, then a code of the app, then the recovery codes to keep. */
export function Enrolling({ onClose }: { onClose: () => void }) {
  const [step, setStep] = useState<Step>({ at: "prove" });
  const queries = useQueryClient();
  const close = () => {
    onClose();
    void queries.invalidateQueries({ queryKey: keys.authenticator });
    void queries.invalidateQueries({ queryKey: keys.sessions });
  };
  const prove = async (proof: Proof) => setStep({ at: "scan", made: await enrol(proof) });
  return (
    <Dialog title="Set up an authenticator app" onClose={close}>
      {step.at === "prove" ? (
        <>
          <p>From then on each sign-in asks for a code of the app too. Every other session of the account ends.</p>
          <Proving asksForCode={false} act="Continue" onProof={prove} onCancel={close} />
          <Command text="weir authenticator enrol" name="the command that does the same" />
        </>
      ) : null}
      {step.at === "scan" ? (
        <Scanning made={step.made} onCodes={(codes) => setStep({ at: "keep", codes })} onCancel={close} />
      ) : null}
      {step.at === "keep" ? <RecoveryCodes codes={step.codes} onDone={close} /> : null}
    </Dialog>
  );
}

type Props = { made: Enrolment; onCodes: (codes: string[]) => void; onCancel: () => void };

function Scanning({ made, onCodes, onCancel }: Props) {
  const [code, setCode] = useState("");
  const check = useMutation({ mutationFn: () => confirm(code.trim()), onSuccess: onCodes });
  return (
    <form
      className="space-y-4"
      onSubmit={(e) => {
        e.preventDefault();
        check.mutate();
      }}
    >
      <p>Scan this with the app, or type the key below into it.</p>
      <img src={made.qr} alt="QR code of the key below" className="mx-auto max-w-full rounded-lg bg-white" />
      <Command text={made.secret} shown={spaced(made.secret)} name="the key for the app" />
      <Input
        label="Code that the app shows"
        inputMode="numeric"
        autoComplete="one-time-code"
        value={code}
        onChange={(e) => setCode(e.target.value)}
      />
      {check.error ? <Trouble error={check.error} /> : null}
      <div className="flex gap-2">
        <Button look="strong" type="submit" disabled={check.isPending || code.replace(/\s/g, "").length < 6}>
          {check.isPending ? "Checking…" : "Ask for codes from now on"}
        </Button>
        <Button onClick={onCancel}>Cancel</Button>
      </div>
    </form>
  );
}

/** A key in groups of four, which are easier to type. */
function spaced(secret: string): string {
  return secret.replace(/(.{4})(?=.)/g, "$1 ");
}
