import { useState } from "react";
import type { Configured } from "../../draft/configured";
import { connectionKey, objectsOf } from "../../draft/edits";
import { useWorkspace } from "../../frame/place";
import { Button } from "../../parts/button";
import { Dialog } from "../../parts/dialog";
import { Input } from "../../parts/input";
import { go } from "../../parts/path";
import { Spinner } from "../../parts/spinner";
import { count, ofDestination, ofSource, perSecond, sum, useFlow } from "../flow";
import { FlowTrouble } from "../flow-trouble";

type Props = { kind: "source" | "destination" | "transformation"; name: string; configured: Configured; after: string };

/** Removes an object once its name was typed, with what its plane counts of it at that moment. */
export function Removal({ kind, name, configured, after }: Props) {
  const [open, setOpen] = useState(false);
  return (
    <>
      <Button onClick={() => setOpen(true)}>Remove…</Button>
      {open ? (
        <Asking kind={kind} name={name} configured={configured} after={after} onClose={() => setOpen(false)} />
      ) : null}
    </>
  );
}

function Asking({ kind, name, configured, after, onClose }: Props & { onClose: () => void }) {
  const workspace = useWorkspace();
  const [typed, setTyped] = useState("");
  const joined = (configured.document.connections ?? []).filter((c) =>
    kind === "transformation" ? c.transformations?.includes(name) : c[kind] === name,
  );
  const remove = () => {
    const at = objectsOf(configured.document, kind).find((o) => o.name === name);
    const edit = configured.draft.edits.find(
      (e) => e.kind === kind && e.next && "name" in e.next && e.next.name === name,
    );
    const base = edit ? edit.base : (at ?? null);
    configured.edit(kind, name, base, null);
    if (kind !== "transformation")
      for (const c of joined) {
        const drafted = configured.draft.edits.find(
          (e) => e.kind === "connection" && e.key === connectionKey(c.source, c.destination),
        );
        if (drafted && !drafted.base) configured.edit("connection", drafted.key, null, null);
      }
    onClose();
    go(after);
  };
  return (
    <Dialog title={`Remove ${name}`} onClose={onClose}>
      {kind === "transformation" ? null : <Counts workspace={workspace.name} kind={kind} name={name} />}
      {kind === "transformation" && joined.length > 0 ? (
        <Passing workspace={workspace.name} keys={joined.map((c) => connectionKey(c.source, c.destination))} />
      ) : null}
      {joined.length > 0 ? (
        <p>
          {kind === "transformation" ? "It runs on " : "With it goes "}
          {joined.length === 1 ? "the connection " : `${joined.length} connections: `}
          {joined.map((c) => `${c.source} → ${c.destination}`).join(", ")}.
        </p>
      ) : null}
      <p>It is removed when you publish; until then you can take it back.</p>
      <form
        className="space-y-4"
        onSubmit={(e) => {
          e.preventDefault();
          if (typed === name) remove();
        }}
      >
        <Input label={`Type ${name} to remove it`} value={typed} onChange={(e) => setTyped(e.target.value)} />
        <div className="flex gap-2">
          <Button look="danger" type="submit" disabled={typed !== name}>
            Remove
          </Button>
          <Button onClick={onClose}>Keep it</Button>
        </div>
      </form>
    </Dialog>
  );
}

/** What passes on the connections that run a transformation. */
function Passing({ workspace, keys }: { workspace: string; keys: string[] }) {
  const flow = useFlow(workspace);
  if (flow.error) return <FlowTrouble workspace={workspace} flow={flow} />;
  if (!flow.data) return null;
  const n = sum(flow.data, (r) => keys.includes(connectionKey(r.source, r.destination)), "routed");
  return (
    <p>
      <strong>{count(n.routed)}</strong> events were routed there, {perSecond(n.rate)} now. Without it they arrive as
      they were sent.
    </p>
  );
}

function Counts({ workspace, kind, name }: { workspace: string; kind: "source" | "destination"; name: string }) {
  const flow = useFlow(workspace);
  if (flow.isPending)
    return (
      <p className="flex items-center gap-2 text-soft">
        <Spinner /> Asking its plane what waits…
      </p>
    );
  if (flow.error) return <FlowTrouble workspace={workspace} flow={flow} />;
  if (kind === "source") {
    const n = sum(flow.data, ofSource(name), "accepted");
    return (
      <p>
        It has sent <strong>{count(n.accepted)}</strong> events. Its write key is refused from then on;{" "}
        {n.waiting > 0 ? `${count(n.waiting)} that wait are still delivered.` : "nothing of it waits."}
      </p>
    );
  }
  const n = sum(flow.data, ofDestination(name), "routed");
  const lost = n.parked + n.dead + n.staged + n.inFlight;
  return lost === 0 ? (
    <p>Nothing waits for it now; {count(n.delivered)} events were delivered.</p>
  ) : (
    <p className="text-bad">
      {[
        [n.parked, "wait"],
        [n.inFlight, "are on their way"],
        [n.staged, "are not loaded yet"],
        [n.dead, "failed for good"],
      ]
        .filter(([c]) => Number(c) > 0)
        .map(([c, what]) => `${count(Number(c))} ${what}`)
        .join(", ")}{" "}
      at this moment. They are discarded with it.
    </p>
  );
}
