import type { Plane, Workspace } from "../../api/client";
import { Badge } from "../../parts/badge";
import { Notice } from "../../parts/notice";
import { ago } from "../../parts/time";

/** The workspace's name and how far its newest revision is. */
export function Revision({ workspace, plane, now }: { workspace: Workspace; plane: Plane | undefined; now: Date }) {
  return (
    <div className="space-y-4">
      <div className="flex flex-wrap items-center gap-x-4 gap-y-2">
        <h1 className="text-2xl font-semibold tracking-tight break-all">{workspace.name}</h1>
        <Progress workspace={workspace} />
        <span className="text-sm text-soft">Region {workspace.region}</span>
      </div>
      {workspace.state === "rejected" ? <Rejected workspace={workspace} plane={plane} /> : null}
      {workspace.state === "pending" ? <Pending workspace={workspace} plane={plane} now={now} /> : null}
    </div>
  );
}

function Progress({ workspace }: { workspace: Workspace }) {
  switch (workspace.state) {
    case "applied":
      return <Badge tone="good">Revision {workspace.number} is running</Badge>;
    case "rejected":
      return <Badge tone="bad">Revision {workspace.number} was rejected</Badge>;
    case "pending":
      return <Badge tone="warn">Revision {workspace.number} is on its way</Badge>;
    case "none":
      return <Badge tone="quiet">No revision yet</Badge>;
  }
}

function Rejected({ workspace, plane }: { workspace: Workspace; plane: Plane | undefined }) {
  const former = workspace.running > 0 ? `Revision ${workspace.running} goes on meanwhile.` : "Nothing runs meanwhile.";
  return (
    <Notice tone="bad" title={`${plane?.name ?? "The plane"} cannot run revision ${workspace.number}. ${former}`}>
      <ul className="space-y-1">
        {workspace.problems.map((p) => (
          <li key={`${p.path} ${p.code}`}>
            <code className="font-mono text-[13px] break-all">{p.path}</code>: {p.text || p.code}
          </li>
        ))}
      </ul>
      <p>
        Correct this in the configuration, then run{" "}
        <code className="font-mono text-[13px]">weir apply -f weir.yaml</code>.
      </p>
    </Notice>
  );
}

function Pending({ workspace, plane, now }: { workspace: Workspace; plane: Plane | undefined; now: Date }) {
  if (!plane) {
    return (
      <Notice tone="warn" title={`No data plane of region ${workspace.region} runs this workspace yet.`}>
        <p>
          Let one join: <code className="font-mono text-[13px]">weir plane invite --region {workspace.region}</code>
        </p>
      </Notice>
    );
  }
  const heard = plane.lastBeat ? `was last heard ${ago(new Date(plane.lastBeat), now)}` : "has not been heard yet";
  return (
    <Notice tone="warn" title={`Plane ${plane.name} has not answered yet; it ${heard}.`}>
      <p>
        It takes the revision as soon as it reaches the control plane. Until then it runs what it has, and no event is
        lost.
      </p>
    </Notice>
  );
}
