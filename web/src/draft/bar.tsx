import type { Workspace } from "../api/client";
import { type Here, inOrganization } from "../frame/place";
import { Button } from "../parts/button";
import { Icon } from "../parts/icon";
import { Link } from "../parts/link";
import { usePath } from "../parts/path";
import { Spinner } from "../parts/spinner";
import { type Ack, tell, useAck } from "./publish";
import { useDraft } from "./store";

/** Says how much is drafted and not published, and what became of what was. */
export function DraftBar({ here, workspace }: { here: Here; workspace: Workspace }) {
  const { draft } = useDraft(workspace.name);
  const ack = useAck();
  const review = inOrganization(here.organization, "workspaces", workspace.name, "review");
  const path = usePath();
  const n = draft.edits.length;
  const mine = ack?.workspace === workspace.name ? ack : null;
  const drafted = n > 0 && path !== review;
  if (!drafted && !mine) return null;
  return (
    <div className="pointer-events-none fixed inset-x-0 bottom-0 z-30 flex flex-col items-center gap-2 p-4">
      {mine ? <Acknowledged ack={mine} /> : null}
      {drafted ? (
        <section
          aria-label="Draft"
          className="pointer-events-auto flex items-center gap-4 rounded-xl border border-edge bg-card py-2 pr-2 pl-4 text-sm shadow-lg"
        >
          <span>
            <span className="font-medium">{n === 1 ? "1 change" : `${n} changes`}</span>
            <span className="text-soft max-sm:sr-only"> not published yet</span>
          </span>
          <Link href={review} look="strong">
            Review
          </Link>
        </section>
      ) : null}
    </div>
  );
}

/** What became of a revision that was published where no workspace is chosen, as by an approval. */
export function AckBar() {
  const ack = useAck();
  if (!ack) return null;
  return (
    <div className="pointer-events-none fixed inset-x-0 bottom-0 z-30 flex flex-col items-center p-4">
      <Acknowledged ack={ack} />
    </div>
  );
}

function Acknowledged({ ack }: { ack: Ack }) {
  const bad = ack.state === "rejected";
  return (
    <div
      role={bad ? "alert" : "status"}
      className="pointer-events-auto flex items-center gap-3 rounded-xl border border-line bg-card py-2 pr-2 pl-4 text-sm shadow-lg"
    >
      <span className={{ sent: "text-soft", running: "text-good", rejected: "text-bad", late: "text-warn" }[ack.state]}>
        {ack.state === "sent" ? <Spinner /> : <Icon name={ack.state === "running" ? "check" : "alert"} />}
      </span>
      <span>{said(ack)}</span>
      <Button onClick={() => tell(null)} aria-label="Dismiss">
        <Icon name="close" />
      </Button>
    </div>
  );
}

function said(ack: Ack): string {
  switch (ack.state) {
    case "sent":
      return `Revision ${ack.number} is published; its plane has not answered yet.`;
    case "running":
      return `Revision ${ack.number} runs on ${ack.plane}, ${(ack.took / 1000).toFixed(1)} s.`;
    case "rejected":
      return `${ack.plane} cannot run revision ${ack.number}; the first page says why.`;
    case "late":
      return `${ack.plane} has not answered yet. It takes revision ${ack.number} as soon as it can.`;
  }
}
