import type { Workspace } from "../../api/client";
import { Command } from "../../parts/command";
import { Empty } from "../../parts/empty";
import { Section } from "../../parts/section";
import { SourceCard } from "./source-card";

/** Where a workspace's events come from. */
export function Sources({ workspace }: { workspace: Workspace }) {
  if (workspace.sources.length === 0) {
    return (
      <Section title="Sources">
        <Empty title="No source yet, so no events can come in.">
          <p>Add one to the workspace's file:</p>
          <Command text={"sources:\n  - name: web\n    type: http\n"} name="an example of a source" />
          <p>Then apply it:</p>
          <Command text="weir apply -f weir.yaml" name="the command that applies the source" />
        </Empty>
      </Section>
    );
  }
  return (
    <Section title="Sources" hint="where events come from">
      <ul className="space-y-4">
        {workspace.sources.map((s) => (
          <li key={s.id}>
            <SourceCard source={s} gateway={workspace.gatewayUrl} />
          </li>
        ))}
      </ul>
    </Section>
  );
}
