import { useState } from "react";
import { type Authenticator, newRecoveryCodes, type Proof, removeAuthenticator } from "../../api/account";
import { Badge } from "../../parts/badge";
import { Button } from "../../parts/button";
import { Command } from "../../parts/command";
import { Dialog } from "../../parts/dialog";
import { Section } from "../../parts/section";
import { Enrolling } from "./enrolling";
import { Proving } from "./proving";
import { RecoveryCodes } from "./recovery-codes";

const few = 3; // recovery codes, of which one should make others

type Open = "enrol" | "codes" | "remove" | null;

/** Whether sign-ins ask for the codes of an authenticator app, and what there is to change about it. */
export function OneTimeCodes({ authenticator: a }: { authenticator: Authenticator }) {
  const [open, setOpen] = useState<Open>(null);
  const close = () => setOpen(null);
  return (
    <Section title="One-time codes" hint="of an authenticator app, at each sign-in">
      {a.enrolled ? (
        <>
          <div className="flex flex-wrap items-center gap-x-3 gap-y-1 text-sm">
            <Badge tone="good">Sign-ins ask for a code</Badge>
            <span className={a.recoveryCodes <= few ? "text-warn" : "text-soft"}>
              {a.recoveryCodes === 1 ? "1 recovery code is left" : `${a.recoveryCodes} recovery codes are left`}
              {a.recoveryCodes <= few ? "; make others before you need them" : ""}
            </span>
          </div>
          <div className="flex flex-wrap gap-2">
            <Button onClick={() => setOpen("codes")}>New recovery codes…</Button>
            <Button onClick={() => setOpen("remove")}>Stop asking for codes…</Button>
          </div>
        </>
      ) : (
        <>
          <p className="max-w-2xl text-sm text-soft">
            Sign-ins ask for the password alone. With an authenticator app on your phone or computer, a stolen password
            is not enough.
          </p>
          <Button onClick={() => setOpen("enrol")}>Set up an authenticator app…</Button>
        </>
      )}
      {open === "enrol" ? <Enrolling onClose={close} /> : null}
      {open === "codes" ? <Codes onClose={close} /> : null}
      {open === "remove" ? <Removing onClose={close} /> : null}
    </Section>
  );
}

function Codes({ onClose }: { onClose: () => void }) {
  const [codes, setCodes] = useState<string[]>();
  if (codes)
    return (
      <Dialog title="Recovery codes" onClose={onClose}>
        <RecoveryCodes codes={codes} onDone={onClose} />
      </Dialog>
    );
  const prove = async (proof: Proof) => setCodes(await newRecoveryCodes(proof));
  return (
    <Dialog title="New recovery codes" onClose={onClose}>
      <p>The codes that you have now are good no more. Each new one stands in for a code of the app once.</p>
      <Proving asksForCode act="Make new codes" onProof={prove} onCancel={onClose} />
      <Command text="weir authenticator codes" name="the command that does the same" />
    </Dialog>
  );
}

function Removing({ onClose }: { onClose: () => void }) {
  return (
    <Dialog title="Stop asking for codes" onClose={onClose}>
      <p>
        The password alone opens the account from then on. In organizations that ask for codes, your roles count no
        more.
      </p>
      <Proving
        asksForCode
        danger
        act="Stop asking for codes"
        onProof={removeAuthenticator}
        onDone={onClose}
        onCancel={onClose}
      />
      <Command text="weir authenticator remove" name="the command that does the same" />
    </Dialog>
  );
}
