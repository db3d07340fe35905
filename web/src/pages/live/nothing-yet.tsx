import type { Workspace } from "../../api/client";
import { chosenOrganization } from "../../api/organization";
import { inOrganization } from "../../frame/place";
import { Command } from "../../parts/command";
import { Empty } from "../../parts/empty";
import { mask } from "../../parts/masked";
import { follow } from "../../parts/path";

/** What to do while no event passes. */
export function NothingYet({ workspace, filtered }: { workspace: Workspace; filtered: boolean }) {
  const source = workspace.sources.find((s) => !s.disabled);
  if (filtered)
    return (
      <Empty title="Nothing that fits these filters has passed yet.">
        <p>Wait for it, or choose wider filters above.</p>
      </Empty>
    );
  if (!source)
    return (
      <Empty title="No events can pass: the workspace has no source that is enabled.">
        <p>
          <a
            href={inOrganization(chosenOrganization(), "workspaces", workspace.name, "sources", "new")}
            onClick={follow}
            className="text-accent underline"
          >
            Make one
          </a>
          .
        </p>
      </Empty>
    );
  return (
    <Empty title="No event has passed since this page was opened.">
      <p>Send one to see it here:</p>
      <Command
        text={curl(workspace.gatewayUrl, source.writeKey)}
        shown={curl(workspace.gatewayUrl, mask(source.writeKey))}
        name={`a command that sends an event to ${source.name}`}
      />
    </Empty>
  );
}

function curl(gateway: string, key: string): string {
  const event = JSON.stringify({ userId: "u1", event: "Tried the live page" });
  return `curl -u '${key}:' ${gateway}/v1/track \\\n  -H 'Content-Type: application/json' \\\n  -d '${event}'`;
}
