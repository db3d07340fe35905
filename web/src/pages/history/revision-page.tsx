import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useParams } from "@tanstack/react-router";
import { useState } from "react";
import { type Change, type Revision, restore, revision } from "../../api/drafts";
import { useFollowing } from "../../draft/publish";
import { fieldText, kinds, ops } from "../../draft/words";
import { useWorkspace } from "../../frame/place";
import { actorText } from "../../parts/actor";
import { Badge } from "../../parts/badge";
import { Button } from "../../parts/button";
import { Command } from "../../parts/command";
import { Dialog } from "../../parts/dialog";
import { Input } from "../../parts/input";
import { Page } from "../../parts/page";
import { go } from "../../parts/path";
import { Card } from "../../parts/section";
import { When } from "../../parts/when";
import { keys } from "../../queries";
import { Loaded } from "../loaded";
import { quoted } from "../plane-trouble";
import { Values } from "../review/values";
import { Trouble } from "../trouble";
import { objectIn } from "./object-in";

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
              By {actorText(r.by)}, <When at={r.at} whole />
              {r.reason ? `: ${r.reason}` : ""}
            </p>
            <Card>
              <ul aria-label="What it changed" className="divide-y divide-line">
                {(r.changes ?? []).map((c) => (
                  <ChangeItem key={`${c.kind} ${c.name}`} change={c} revision={r} />
                ))}
                {(r.changes ?? []).length === 0 ? (
                  <li className="px-4 py-3 text-sm text-soft">It changed nothing that was kept.</li>
                ) : null}
              </ul>
            </Card>
          </>
        )}
      </Loaded>
      {restoring ? <Restoring number={Number(number)} onClose={() => setRestoring(false)} /> : null}
    </Page>
  );
}

function ChangeItem({ change: c, revision: r }: { change: Change; revision: Revision }) {
  const op = ops[c.op];
  const before = objectIn(r.before, c.kind, c.was ?? c.name);
  const after = objectIn(r.after, c.kind, c.name);
  const fields = c.fields && c.fields.length > 0 ? c.fields : differing(before, after);
  return (
    <li className="space-y-2 px-4 py-3 text-sm">
      <div className="flex flex-wrap items-center gap-x-3 gap-y-1">
        <Badge tone={op.tone}>{op.word}</Badge>
        <span className="text-soft">{kinds[c.kind]}</span>
        <span className="font-medium break-all">
          {c.was ? `${c.was} → ` : ""}
          {c.name.replace(" -> ", " → ")}
        </span>
      </div>
      {c.op === "add" || c.op === "remove" || !before || !after ? (
        c.op === "change" && fields.length > 0 ? (
          <p className="text-soft">{fields.map(fieldText).join(", ")}</p>
        ) : null
      ) : (
        <Values fields={fields} before={before} after={after} words={fieldText} />
      )}
    </li>
  );
}

function differing(before: unknown, after: unknown): string[] {
  if (typeof before !== "object" || typeof after !== "object" || !before || !after) return [];
  const [a, b] = [before as Record<string, unknown>, after as Record<string, unknown>];
  return [...new Set([...Object.keys(a), ...Object.keys(b)])].filter(
    (k) => JSON.stringify(a[k]) !== JSON.stringify(b[k]),
  );
}

function Restoring({ number, onClose }: { number: number; onClose: () => void }) {
  const workspace = useWorkspace();
  const queries = useQueryClient();
  const following = useFollowing(workspace.name);
  const [why, setWhy] = useState("");
  const back = useMutation({
    mutationFn: async () => {
      const began = Date.now();
      const done = await restore(workspace.name, number, workspace.number, why);
      following(done.number, began);
      return done;
    },
    onSuccess: async () => {
      await Promise.all([
        queries.invalidateQueries({ queryKey: keys.config(workspace.name) }),
        queries.invalidateQueries({ queryKey: keys.revisions(workspace.name) }),
      ]);
      onClose();
      go(workspace.path("history"));
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
