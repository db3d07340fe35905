import { Problem } from "../api/problem";
import { Unreachable } from "../api/reach";
import { Button } from "../parts/button";
import { Command } from "../parts/command";
import { Notice } from "../parts/notice";
import { Denied, isDenied } from "./denied";
import { quoted } from "./plane-trouble";

type Props = { workspace: string; flow: { error: Error | null; refetch: () => unknown } };

/** Why a page shows its objects without numbers, in place of these; nothing while the plane says them. */
export function FlowTrouble({ workspace, flow: { error, refetch } }: Props) {
  if (!error) return null;
  if (isDenied(error)) return <Denied error={error} what="how many events come and go" />;
  return (
    <Notice tone="warn" title="The plane does not say what goes through.">
      <p>
        {error.message} {error instanceof Problem ? error.remedy : ""}
      </p>
      {error instanceof Unreachable ? (
        <Command text={`weir ledger --workspace ${quoted(workspace)}`} name="the command weir ledger" />
      ) : null}
      <Button onClick={() => refetch()}>Try again now</Button>
    </Notice>
  );
}
