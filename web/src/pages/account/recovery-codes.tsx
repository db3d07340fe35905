import { Button } from "../../parts/button";
import { Command } from "../../parts/command";
import { Notice } from "../../parts/notice";

/** Recovery codes, this once. */
export function RecoveryCodes({ codes, onDone }: { codes: string[]; onDone: () => void }) {
  return (
    <>
      <Notice tone="warn" title="These are shown this once. Keep them where you keep passwords.">
        <p>Each stands in for one code of the app, once: for the day on which the phone is lost.</p>
      </Notice>
      <Command text={codes.join("\n")} name="the recovery codes" />
      <Button look="strong" onClick={onDone}>
        I have kept them
      </Button>
    </>
  );
}
