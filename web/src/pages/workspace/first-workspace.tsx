import { Command } from "../../parts/command";
import { Empty } from "../../parts/empty";

const file = `workspace: acme
region: eu
sources:
  - name: web
    type: http
destinations:
  - name: hook
    type: webhook
    settings: { url: "https://example.com/events" }
connections:
  - { source: web, destination: hook }
`;

/** What to do on an installation without workspaces. */
export function FirstWorkspace() {
  return (
    <div className="space-y-4">
      <h1 className="text-2xl font-semibold tracking-tight">Make your first workspace</h1>
      <Empty title="There is no workspace yet.">
        <p>A workspace is a file. Save this as weir.yaml, with your own address for the destination:</p>
        <Command text={file} name="an example of weir.yaml" />
        <p>Then apply it; the workspace appears here by itself.</p>
        <Command text="weir apply -f weir.yaml" name="the command that applies it" />
      </Empty>
    </div>
  );
}
