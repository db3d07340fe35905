import { useWorkspace } from "../../frame/place";
import { Link } from "../../parts/link";
import { Notice } from "../../parts/notice";
import { Section } from "../../parts/section";
import { long } from "../../parts/time";
import type { Health } from "../destinations/health";
import { count, errorShare, type Flow, ofConnection, rateOf, sum, waitOf } from "../flow";
import { FlowTrouble } from "../flow-trouble";
import { reason } from "../live/reasons";
import { Stats } from "../object/stats";

type Props = {
  source: string;
  destination: string;
  health: Health | undefined;
  flow: { data: Flow | undefined; error: Error | null; refetch: () => unknown };
};

/** How a connection does: what is wrong, what went in and where all of it is. */
export function ConnectionHealth({ source, destination, health, flow }: Props) {
  const workspace = useWorkspace();
  const mine = ofConnection(source, destination);
  const n = sum(flow.data, mine, "routed");
  const dropped = Object.entries(flow.data?.rows.find(mine)?.dropped ?? {});
  const said = (text: string) => (flow.data ? text : "…");
  const waits = waitOf(flow.data, mine);
  const lost = n.dead + n.quarantined;
  return (
    <div className="space-y-6">
      <FlowTrouble workspace={workspace.name} flow={flow} />
      {flow.error && !flow.data ? null : (
        <Stats
          stats={[
            { title: "Rate", value: rateOf(flow.data, n) },
            { title: "Came in", value: said(count(n.routed + n.added)) },
            { title: "Delivered", value: said(count(n.delivered)), tone: "good" },
            { title: "Not sent by rules", value: said(count(n.dropped)) },
            {
              title: "Waiting",
              value: said(count(n.parked + n.staged + n.inFlight)),
              tone: n.parked > 0 ? "warn" : "plain",
            },
            {
              title: "Oldest waiting",
              value: said(waits === undefined || waits < 2 ? "–" : long(waits)),
              tone: n.parked > 0 ? "warn" : "plain",
            },
            { title: "Errors", value: said(errorShare(n) || "–"), tone: lost > 0 ? "bad" : "plain" },
          ]}
        />
      )}
      {health?.cause ? (
        <Notice
          tone={health.tone === "bad" ? "bad" : health.tone === "warn" ? "warn" : "calm"}
          title={`${destination}: ${health.cause}`}
        >
          {lost > 0 ? (
            <p>
              <Link href="?tab=events">See what failed and send it again</Link>
            </p>
          ) : null}
        </Notice>
      ) : null}
      {dropped.length > 0 ? (
        <Section title="Not sent, by reason">
          <ul className="max-w-xl divide-y divide-line rounded-xl border border-line bg-card text-sm">
            {dropped.map(([code, sent]) => (
              <li key={code} className="flex gap-4 px-4 py-2.5">
                <span>{reason(code).replace(/^./, (c) => c.toUpperCase())}</span>
                <span className="ml-auto tabular-nums">{count(sent)}</span>
              </li>
            ))}
          </ul>
        </Section>
      ) : null}
      <p className="flex flex-wrap gap-x-5 gap-y-1 text-sm">
        <Link href={workspace.path("sources", source)}>Source {source}</Link>
        <Link href={workspace.path("destinations", destination)}>Destination {destination}</Link>
      </p>
    </div>
  );
}
