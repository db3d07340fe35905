import type { ReactNode } from "react";
import type { Connection, WorkspaceDocument } from "../../api/client";
import { connectionKey } from "../../draft/edits";
import { useWorkspace } from "../../frame/place";
import { Link } from "../../parts/link";
import { go } from "../../parts/path";
import { count, type Flow, ofDestination, ofSource, rateOf, sum } from "../flow";
import { type Band, bandsOf, row, width } from "./bands";
import { type Loss, lossesAt, lossesOn } from "./losses";

const mostDrawn = 30; // objects on a side; beyond, the page of connections has them
const mostBands = 200; // between them; more are no picture, and slow

type Props = {
  document: WorkspaceDocument;
  /** Those that are drawn. */
  connections: readonly Connection[];
  flow: Flow | undefined;
  /** What stands below it, such as a link to the same as a table. */
  children?: ReactNode;
};

/**
 * Sources left, destinations right, and between them a band for each connection, as wide as what goes through. What does
 * not arrive leaves at the sides: at its source before it is routed, at its destination after that.
 */
export function Picture({ document, connections, flow, children }: Props) {
  const workspace = useWorkspace();
  const sources = (document.sources ?? []).filter((s) => connections.some((c) => c.source === s.name));
  const destinations = (document.destinations ?? []).filter((d) => connections.some((c) => c.destination === d.name));
  if (sources.length > mostDrawn || destinations.length > mostDrawn || connections.length > mostBands)
    return (
      <p className="text-sm text-soft">
        {connections.length} connections join {sources.length} sources to {destinations.length} destinations: too many
        to draw. {children}
      </p>
    );
  const height = Math.max(sources.length, destinations.length) * row;
  const { bands, live } = bandsOf(connections, sources, destinations, flow, height);
  const at = (i: number, n: number) => (height / n) * (i + 0.5);
  return (
    <div className="grid grid-cols-[minmax(0,1fr)_3rem_minmax(0,1fr)] sm:grid-cols-[minmax(7rem,14rem)_1fr_minmax(7rem,14rem)] rounded-xl border border-line bg-card p-4 shadow-xs">
      <ul className="flex min-w-0 flex-col justify-around gap-2">
        {sources.map((s) => {
          const n = sum(flow, ofSource(s.name), "accepted");
          return (
            <li key={s.name} className="flex min-h-11 flex-col justify-center text-sm">
              <Link href={workspace.path("sources", s.name)} look="name" className="truncate">
                {s.name}
              </Link>
              <span className="text-xs text-soft tabular-nums">
                {flow ? `${count(n.accepted)}, ${rateOf(flow, n)}` : "…"}
                <Losses all={lossesAt(n)} />
              </span>
            </li>
          );
        })}
      </ul>
      <svg
        aria-hidden="true"
        viewBox={`0 0 ${width} ${height}`}
        preserveAspectRatio="none"
        className="h-full w-full overflow-visible"
        height={height}
      >
        {bands.map((b) => (
          <Ribbon
            key={connectionKey(b.source, b.destination)}
            band={b}
            onClick={() => go(workspace.path("connections", b.source, b.destination))}
          />
        ))}
        {sources.map((s, i) => (
          <Arm
            key={s.name}
            x={0}
            y={at(i, sources.length)}
            side={1}
            losses={lossesAt(sum(flow, ofSource(s.name), "accepted"))}
          />
        ))}
        {destinations.map((d, i) => (
          <Arm
            key={d.name}
            x={width}
            y={at(i, destinations.length)}
            side={-1}
            losses={lossesOn(sum(flow, ofDestination(d.name), "routed"))}
          />
        ))}
      </svg>
      <ul className="flex min-w-0 flex-col justify-around gap-2 pl-2 sm:pl-3">
        {destinations.map((d) => {
          const n = sum(flow, ofDestination(d.name), "routed");
          return (
            <li key={d.name} className="flex min-h-11 flex-col justify-center text-sm">
              <Link href={workspace.path("destinations", d.name)} look="name" className="truncate">
                {d.name}
              </Link>
              <span className="text-xs text-soft tabular-nums">
                {flow ? `${count(n.delivered)} delivered` : "…"}
                <Losses all={lossesOn(n)} />
              </span>
            </li>
          );
        })}
      </ul>
      <p className="col-span-3 pt-3 text-xs text-soft">
        {live ? "The wider a band, the more events a second go through." : "The wider a band, the more went through."}{" "}
        What does not arrive leaves at the side. {children}
      </p>
    </div>
  );
}

const tones = { bad: "text-bad", warn: "text-warn", quiet: "text-soft" };

function Losses({ all }: { all: Loss[] }) {
  return all.map((l) => (
    <span key={l.word} className={tones[l.tone]}>
      , {count(l.n)} {l.word}
    </span>
  ));
}

const strokes = { bad: "stroke-bad", warn: "stroke-warn", quiet: "stroke-edge" };

function Ribbon({ band: b, onClick }: { band: Band; onClick: () => void }) {
  const middle = width / 2;
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: the table leads to the same by keyboard
    <path
      d={`M0 ${b.from} C ${middle} ${b.from}, ${middle} ${b.to}, ${width} ${b.to}`}
      fill="none"
      vectorEffect="non-scaling-stroke"
      strokeWidth={b.size}
      className={`cursor-pointer opacity-50 transition-opacity hover:opacity-90 ${b.tone === "good" ? "stroke-accent" : strokes[b.tone]}`}
      onClick={onClick}
    >
      <title>{`${b.source} → ${b.destination}: ${b.text}`}</title>
    </path>
  );
}

/** What leaves at a source or a destination, each kind a small arm that turns down. */
function Arm({ x, y, side, losses }: { x: number; y: number; side: 1 | -1; losses: Loss[] }) {
  return losses.map((l, i) => {
    const away = side * (50 + 34 * i);
    return (
      <path
        key={l.word}
        d={`M${x + away - side * 40} ${y} Q ${x + away} ${y}, ${x + away} ${y + row * 0.36}`}
        fill="none"
        vectorEffect="non-scaling-stroke"
        strokeWidth={l.size}
        strokeLinecap="round"
        className={strokes[l.tone]}
      >
        <title>{`${count(l.n)} ${l.word}`}</title>
      </path>
    );
  });
}
