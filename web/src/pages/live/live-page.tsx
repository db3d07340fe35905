import type { Workspace } from "../../api/client";
import { Page } from "../../parts/page";
import { useQueryText } from "../../parts/path";
import { UrlTabs } from "../../parts/url-tabs";
import { HeldEvents } from "./held-events";
import { LiveEvents } from "./live-events";
import { ProblemGroups } from "./problem-groups";

/** What passes a workspace now, and what its plane keeps because it did not arrive. Straight from the plane. */
export function LivePage({ workspace }: { workspace: Workspace }) {
  const only = new URLSearchParams(useQueryText()).get("destination") ?? "";
  return (
    <Page
      title="Events"
      of={workspace.name}
      hint={`Your browser reads them from the data plane of ${workspace.name} directly; the control plane sees none.`}
    >
      <UrlTabs
        label="Events"
        tabs={[
          { name: "Live", panel: <LiveEvents workspace={workspace} /> },
          { name: "Problems", panel: <ProblemGroups workspace={workspace} only={only} /> },
          { name: "Waiting", panel: <HeldEvents key="parked" workspace={workspace} shelf="parked" /> },
          { name: "Failed for good", panel: <HeldEvents key="dead" workspace={workspace} shelf="dead" /> },
          { name: "Quarantined", panel: <HeldEvents key="quarantine" workspace={workspace} shelf="quarantine" /> },
        ]}
      />
    </Page>
  );
}
