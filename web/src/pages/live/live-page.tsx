import type { Workspace } from "../../api/client";
import { Tabs } from "../../parts/tabs";
import { HeldEvents } from "./held-events";
import { LiveEvents } from "./live-events";

/** What passes a workspace now, and what its plane keeps because it did not arrive. Straight from the plane. */
export function LivePage({ workspace }: { workspace: Workspace }) {
  return (
    <div className="space-y-5">
      <div>
        <h1 className="text-2xl font-semibold tracking-tight">Live events</h1>
        <p className="mt-1 text-sm text-soft">
          Your browser reads them from the data plane of {workspace.name} directly; the control plane sees none.
        </p>
      </div>
      <Tabs
        label="Events"
        tabs={[
          { name: "Passing now", panel: <LiveEvents workspace={workspace} /> },
          { name: "Waiting", panel: <HeldEvents key="parked" workspace={workspace} shelf="parked" /> },
          { name: "Failed for good", panel: <HeldEvents key="dead" workspace={workspace} shelf="dead" /> },
          { name: "Quarantined", panel: <HeldEvents key="quarantine" workspace={workspace} shelf="quarantine" /> },
        ]}
      />
    </div>
  );
}
