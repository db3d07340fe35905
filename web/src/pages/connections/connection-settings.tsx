import { useState } from "react";
import type { Configured } from "../../draft/configured";
import { type Any, connectionKey, find, type Objects } from "../../draft/edits";
import { asYaml } from "../../draft/yaml";
import { useWorkspace } from "../../frame/place";
import { Button } from "../../parts/button";
import { Command } from "../../parts/command";
import { Dialog } from "../../parts/dialog";
import { Link } from "../../parts/link";
import { go } from "../../parts/path";
import { Section } from "../../parts/section";
import { count, ofConnection, sum, useFlow } from "../flow";
import { specOf, useCatalog } from "../object/kinds";

type Connection = Objects["connection"];
type Props = { configured: Configured; connection: Connection; published: Any | null };

/** What a connection joins, the same as a file, and its end. */
export function ConnectionSettings({ configured, connection, published }: Props) {
  const workspace = useWorkspace();
  const kinds = useCatalog();
  const [asking, setAsking] = useState(false);
  const ends = [
    { kind: "source", word: "Source", page: "sources", name: connection.source },
    { kind: "destination", word: "Destination", page: "destinations", name: connection.destination },
  ] as const;
  return (
    <div className="max-w-2xl space-y-8">
      <dl className="grid gap-x-6 gap-y-1.5 text-sm sm:grid-cols-[8rem_1fr]">
        {ends.map((e) => {
          const type = find(configured.document, e.kind, e.name)?.type ?? "";
          return (
            <div key={e.kind} className="contents">
              <dt className="text-soft">{e.word}</dt>
              <dd>
                <Link href={workspace.path(e.page, e.name)} look="name">
                  {e.name}
                </Link>
                <span className="text-soft"> {specOf(kinds.data, e.kind, type)?.title ?? type}</span>
              </dd>
            </div>
          );
        })}
      </dl>
      <Section title="As a file" hint="for version control and weir apply">
        <Command
          text={asYaml({ workspace: workspace.name, region: workspace.region, connections: [connection] })}
          name="the connection as YAML"
        />
        <p className="text-sm text-soft">
          Apply it with <code>--no-prune</code>, which leaves what it does not name as it is.
        </p>
      </Section>
      <Section title="Disconnect">
        <p className="text-sm text-soft">
          Events of {connection.source} go to {connection.destination} no more once it is published. Both stay.
        </p>
        <Button onClick={() => setAsking(true)}>Disconnect…</Button>
      </Section>
      {asking ? (
        <Disconnecting
          connection={connection}
          onClose={() => setAsking(false)}
          onSure={() => {
            const key = connectionKey(connection.source, connection.destination);
            configured.edit("connection", key, published, null);
            go(workspace.path("connections"));
          }}
        />
      ) : null}
    </div>
  );
}

type AskProps = { connection: Connection; onClose: () => void; onSure: () => void };

/** Asks once more, with what the plane counts at that moment. */
function Disconnecting({ connection: c, onClose, onSure }: AskProps) {
  const workspace = useWorkspace();
  const flow = useFlow(workspace.name);
  const n = sum(flow.data, ofConnection(c.source, c.destination), "routed");
  const waits = n.parked + n.inFlight + n.staged;
  return (
    <Dialog title={`Disconnect ${c.source} from ${c.destination}`} onClose={onClose}>
      <p>
        {flow.data
          ? waits > 0
            ? `${count(waits)} events that passed already wait for ${c.destination}; they are still delivered.`
            : "Nothing waits on it at this moment."
          : "Its plane does not say what waits on it."}
      </p>
      <p>It is done when you publish; until then you can take it back.</p>
      <div className="flex gap-2">
        <Button look="danger" onClick={onSure}>
          Disconnect
        </Button>
        <Button onClick={onClose}>Keep it</Button>
      </div>
    </Dialog>
  );
}
