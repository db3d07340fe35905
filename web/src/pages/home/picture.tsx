import type { WorkspaceDocument } from "../../api/client";
import { connectionKey } from "../../draft/edits";
import { useWorkspace } from "../../frame/place";
import { Link } from "../../parts/link";
import { go } from "../../parts/path";
import { count, type Flow, ofConnection, ofDestination, ofSource, perSecond, sum } from "../flow";

const mostDrawn = 30; // objects on a side; beyond, the page of connections has them
const row = 56; // px
const width = 1000; // of the drawing's own measure

type Props = { document: WorkspaceDocument; flow: Flow | undefined };

/** Sources left, destinations right, and between them a band for each connection, as wide as what went through. */
export function Picture({ document, flow }: Props) {
  const workspace = useWorkspace();
  const connections = document.connections ?? [];
  const sources = (document.sources ?? []).filter((s) => connections.some((c) => c.source === s.name));
  const destinations = (document.destinations ?? []).filter((d) => connections.some((c) => c.destination === d.name));
  if (sources.length > mostDrawn || destinations.length > mostDrawn)
    return (
      <p className="text-sm text-soft">
        {connections.length} connections join {sources.length} sources to {destinations.length} destinations.{" "}
        <Link href={workspace.path("connections")}>See all of them as a table</Link>
      </p>
    );
  const rows = Math.max(sources.length, destinations.length);
  const height = rows * row;
  const y = (i: number, n: number) => (height / n) * (i + 0.5);
  const most = Math.max(
    1,
    ...connections.map((c) => sum(flow, ofConnection(c.source, c.destination), "routed").routed),
  );
  return (
    <div className="grid grid-cols-[minmax(7rem,14rem)_1fr_minmax(7rem,14rem)] rounded-xl border border-line bg-card p-4 shadow-xs">
      <ul className="flex flex-col justify-around gap-2">
        {sources.map((s) => {
          const n = sum(flow, ofSource(s.name), "accepted");
          return (
            <li key={s.name} className="flex min-h-11 flex-col justify-center text-sm">
              <Link href={workspace.path("sources", s.name)} look="name" className="truncate">
                {s.name}
              </Link>
              <span className="text-xs text-soft tabular-nums">
                {flow ? `${count(n.accepted)}, ${perSecond(n.rate)}` : "…"}
              </span>
            </li>
          );
        })}
      </ul>
      <svg
        aria-hidden="true"
        viewBox={`0 0 ${width} ${height}`}
        preserveAspectRatio="none"
        className="h-full w-full"
        height={height}
      >
        {connections.map((c) => {
          const from = y(
            sources.findIndex((s) => s.name === c.source),
            sources.length,
          );
          const to = y(
            destinations.findIndex((d) => d.name === c.destination),
            destinations.length,
          );
          const n = sum(flow, ofConnection(c.source, c.destination), "routed");
          const lost = n.dead + n.quarantined > 0;
          const waits = n.parked > 0;
          return (
            // biome-ignore lint/a11y/noStaticElementInteractions: the list below leads to the same by keyboard
            <path
              key={connectionKey(c.source, c.destination)}
              d={`M0 ${from} C ${width / 2} ${from}, ${width / 2} ${to}, ${width} ${to}`}
              fill="none"
              vectorEffect="non-scaling-stroke"
              strokeWidth={2 + (18 * Math.sqrt(n.routed)) / Math.sqrt(most)}
              className={`cursor-pointer opacity-50 transition-opacity hover:opacity-90 ${lost ? "stroke-bad" : waits ? "stroke-warn" : n.delivered > 0 ? "stroke-accent" : "stroke-edge"}`}
              onClick={() => go(workspace.path("connections", c.source, c.destination))}
            >
              <title>{`${c.source} → ${c.destination}: ${count(n.delivered)} delivered`}</title>
            </path>
          );
        })}
      </svg>
      <ul className="flex flex-col justify-around gap-2 pl-3">
        {destinations.map((d) => {
          const n = sum(flow, ofDestination(d.name), "routed");
          return (
            <li key={d.name} className="flex min-h-11 flex-col justify-center text-sm">
              <Link href={workspace.path("destinations", d.name)} look="name" className="truncate">
                {d.name}
              </Link>
              <span className="text-xs text-soft tabular-nums">
                {flow ? `${count(n.delivered)} delivered` : "…"}
                {n.parked > 0 ? <span className="text-warn">, {count(n.parked)} waiting</span> : null}
                {n.dead > 0 ? <span className="text-bad">, {count(n.dead)} failed</span> : null}
              </span>
            </li>
          );
        })}
      </ul>
      <p className="col-span-3 pt-3 text-xs text-soft">
        The wider a band, the more went through. <Link href={workspace.path("connections")}>The same as a table</Link>
      </p>
    </div>
  );
}
