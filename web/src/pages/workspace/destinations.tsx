import type { Destination, Workspace } from "../../api/client";
import { Badge } from "../../parts/badge";
import { Command } from "../../parts/command";
import { Empty } from "../../parts/empty";
import { Card, Section } from "../../parts/section";
import { ConnectionTest } from "../warehouses/connection-test";

/** Where a workspace's events go, and what waits or failed on the way. */
export function Destinations({ workspace }: { workspace: Workspace }) {
  if (workspace.destinations.length === 0) {
    return (
      <Section title="Destinations">
        <Empty title="No destination yet: events are taken and counted, but go nowhere.">
          <p>Add one to the workspace's file, and a connection that leads to it:</p>
          <Command text={example(workspace.sources[0]?.name ?? "web")} name="an example of a destination" />
          <p>Then apply it:</p>
          <Command text="weir apply -f weir.yaml" name="the command that applies the destination" />
        </Empty>
      </Section>
    );
  }
  return (
    <Section title="Destinations" hint="where events go">
      <Card>
        <ul className="divide-y divide-line">
          {workspace.destinations.map((d) => (
            <li key={d.id} className="flex flex-wrap items-center gap-x-3 gap-y-2 px-4 py-4 sm:px-5">
              <h3 className="font-semibold break-all">{d.name}</h3>
              <span className="text-sm text-soft">{d.type}</span>
              <span className="flex flex-wrap gap-2 sm:ml-auto">
                <States destination={d} />
              </span>
              <Advice destination={d} />
              <ConnectionTest workspace={workspace.name} destination={d.name} />
            </li>
          ))}
        </ul>
      </Card>
    </Section>
  );
}

const example = (source: string) => `destinations:
  - name: hook
    type: webhook
    settings: { url: "https://example.com/events" }
connections:
  - { source: ${source}, destination: hook }
`;

const number = new Intl.NumberFormat("en");

function States({ destination: d }: { destination: Destination }) {
  return (
    <>
      {d.disabled ? <Badge tone="quiet">Disabled</Badge> : null}
      {d.parked > 0 ? <Badge tone="warn">{number.format(d.parked)} waiting</Badge> : null}
      {d.staged ? <Badge tone="quiet">{number.format(d.staged)} to be loaded</Badge> : null}
      {d.dead > 0 ? <Badge tone="bad">{number.format(d.dead)} failed for good</Badge> : null}
      {!d.disabled && d.parked === 0 && d.dead === 0 ? <Badge tone="good">Delivering</Badge> : null}
    </>
  );
}

function Advice({ destination: d }: { destination: Destination }) {
  if (d.dead > 0) {
    return (
      <p className="w-full text-sm text-soft">
        See why with <code className="font-mono text-[13px] text-ink">weir dlq list --destination {d.name}</code>, then
        send them again with{" "}
        <code className="font-mono text-[13px] text-ink">weir dlq redrive --destination {d.name} --all</code>.
      </p>
    );
  }
  if (d.disabled) return <p className="w-full text-sm text-soft">Its deliveries wait until it is enabled again.</p>;
  if (d.parked > 0)
    return (
      <p className="w-full text-sm text-soft">It cannot take them now; they are kept in order and sent when it can.</p>
    );
  return null;
}
