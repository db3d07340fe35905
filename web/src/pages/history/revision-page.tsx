import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useParams } from "@tanstack/react-router";
import { useState } from "react";
import { restore, revision } from "../../api/drafts";
import { useFollowing } from "../../draft/publish";
import { changeAddress, useHere, useWorkspace } from "../../frame/place";
import { actorText } from "../../parts/actor";
import { Badge } from "../../parts/badge";
import { Button } from "../../parts/button";
import { Command } from "../../parts/command";
import { Dialog } from "../../parts/dialog";
import { Input } from "../../parts/input";
import { Page } from "../../parts/page";
import { go } from "../../parts/path";
import { When } from "../../parts/when";
import { keys } from "../../queries";
import { Loaded } from "../loaded";
import { quoted } from "../plane-trouble";
import { ChangeList } from "../review/change-list";
import { Trouble } from "../trouble";

/** One revision: what it changed, and the way back to it. */
export function RevisionPage() {
  const { number = "" } = useParams({ strict: false });
  const workspace = useWorkspace();
  const [restoring, setRestoring] = useState(false);
  const one = useQuery({
    queryKey: keys.revision(workspace.name, Number(number)),
    queryFn: ({ signal }) => revision(workspace.name, Number(number), signal),
  });
  const newest = workspace.number === Number(number);
  return (
    <Page
      title={`Revision ${number}`}
      of={workspace.name}
      up={{ href: workspace.path("history"), title: "History" }}
      beside={workspace.running === Number(number) ? <Badge tone="good">Running</Badge> : null}
      actions={newest ? null : <Button onClick={() => setRestoring(true)}>Restore this revision…</Button>}
    >
      <Loaded query={one} what="the revision">
        {(r) => (
          <>
            <p className="text-sm text-soft">
              By {actorText(r.by)}
              {r.approvedBy ? `, approved by ${actorText(r.approvedBy)}` : ""}, <When at={r.at} whole />
              {r.reason ? `: ${r.reason}` : ""}
            </p>
            <ChangeList changes={r.changes ?? []} before={r.before} after={r.after} />
          </>
        )}
      </Loaded>
      {restoring ? <Restoring number={Number(number)} onClose={() => setRestoring(false)} /> : null}
    </Page>
  );
}

function Restoring({ number, onClose }: { number: number; onClose: () => void }) {
  const workspace = useWorkspace();
  const { organization } = useHere();
  const queries = useQueryClient();
  const following = useFollowing(workspace.name);
  const [why, setWhy] = useState("");
  const back = useMutation({
    mutationFn: async () => {
      const began = Date.now();
      const done = await restore(workspace.name, number, workspace.number, why);
      if (!done.waits) following(done.number, began);
      return done;
    },
    onSuccess: async ({ waits }) => {
      await Promise.all([
        queries.invalidateQueries({ queryKey: keys.changes() }),
        queries.invalidateQueries({ queryKey: keys.config(workspace.name) }),
        queries.invalidateQueries({ queryKey: keys.revisions(workspace.name) }),
      ]);
      onClose();
      go(waits ? changeAddress(organization, workspace.name, waits.change) : workspace.path("history"));
    },
  });
  return (
    <Dialog title={`Restore revision ${number}`} onClose={onClose}>
      <p>
        The configuration of revision {number} is published again as revision {workspace.number + 1}. What came since
        stays in the history.
      </p>
      <form
        className="space-y-4"
        onSubmit={(e) => {
          e.preventDefault();
          back.mutate();
        }}
      >
        <Input label="Why" optional value={why} onChange={(e) => setWhy(e.target.value)} />
        {back.error ? <Trouble error={back.error} /> : null}
        <div className="flex gap-2">
          <Button look="strong" type="submit" disabled={back.isPending}>
            {back.isPending ? "Restoring…" : "Restore"}
          </Button>
          <Button onClick={onClose}>Cancel</Button>
        </div>
      </form>
      <Command
        text={`weir rollback --to ${number} --workspace ${quoted(workspace.name)}`}
        name="the command that does the same"
      />
    </Dialog>
  );
}
