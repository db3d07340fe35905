import type { ReactNode } from "react";
import type { Connection, WorkspaceDocument } from "../../api/client";
import { useWorkspace } from "../../frame/place";
import { go } from "../../parts/path";
import { count, type Flow, rateOf } from "../flow";
import { type Band, bandsOf, row, width } from "./bands";
import { GroupTable } from "./group-table";
import { type Loss, lossesAt, lossesOn } from "./losses";
import type { Node } from "./nodes";
import { SideList } from "./side-list";
import { useNodes } from "./use-nodes";

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
 * not arrive leaves at the sides: at its source before it is routed, at its destination after that. Where there is too
 * much of it, objects of a kind stand together until their kind is opened.
 */
export function Picture({ document, connections, flow, children }: Props) {
  const workspace = useWorkspace();
  const { sources, destinations, pairs, isGrouped, toggle } = useNodes(document, connections, flow);
  const height = Math.max(sources.nodes.length, destinations.nodes.length) * row;
  const { bands, live } = bandsOf(pairs, sources.nodes.length, destinations.nodes.length, height);
  const at = (i: number, n: number) => (height / n) * (i + 0.5);
  const ends = (p: { from: number; to: number }) => [sources.nodes[p.from], destinations.nodes[p.to]] as const;
  const to = (p: { from: number; to: number }) => {
    const [from, into] = ends(p);
    if (from && into && isSingle(from) && isSingle(into)) return workspace.path("connections", from.title, into.title);
    const words = [from, into].map((n) => n?.kind ?? n?.title ?? "").join(" ");
    return `${workspace.path("connections")}?${new URLSearchParams({ q: words })}`;
  };
  const losses = { source: sources.numbers.map(lossesAt), destination: destinations.numbers.map(lossesOn) };
  return (
    <div className="grid grid-cols-[minmax(0,1fr)_3rem_minmax(0,1fr)] sm:grid-cols-[minmax(7rem,14rem)_1fr_minmax(7rem,14rem)] rounded-xl border border-line bg-card p-4 shadow-xs">
      <SideList
        side="source"
        nodes={sources.nodes}
        losses={losses.source}
        said={(i) => {
          const n = sources.numbers[i];
          return flow && n ? `${count(n.accepted)}, ${rateOf(flow, n)}` : "…";
        }}
        onToggle={toggle}
      />
      <svg
        aria-hidden="true"
        viewBox={`0 0 ${width} ${height}`}
        preserveAspectRatio="none"
        className="h-full w-full overflow-visible"
        height={height}
      >
        {bands.map((b) => {
          const [from, into] = ends(b);
          return (
            <Ribbon
              key={`${from?.key} ${into?.key}`}
              band={b}
              title={`${from?.title} → ${into?.title}${b.connections > 1 ? `, ${count(b.connections)} connections` : ""}: ${b.text}`}
              onClick={() => go(to(b))}
            />
          );
        })}
        {losses.source.map((all, i) => (
          <Arm key={sources.nodes[i]?.key} x={0} y={at(i, sources.nodes.length)} side={1} losses={all} />
        ))}
        {losses.destination.map((all, i) => (
          <Arm key={destinations.nodes[i]?.key} x={width} y={at(i, destinations.nodes.length)} side={-1} losses={all} />
        ))}
      </svg>
      <SideList
        side="destination"
        nodes={destinations.nodes}
        losses={losses.destination}
        said={(i) => (flow ? `${count(destinations.numbers[i]?.delivered ?? 0)} delivered` : "…")}
        onToggle={toggle}
      />
      <p className="col-span-3 pt-3 text-xs text-soft">
        {live ? "The wider a band, the more events a second go through." : "The wider a band, the more went through."}{" "}
        What does not arrive leaves at the side. {isGrouped ? "Objects of a kind stand together; open one. " : ""}
        {children}
      </p>
      {isGrouped ? (
        <GroupTable pairs={pairs} flow={flow} ends={(p) => ends(p).map((n) => n?.title ?? "")} to={to} />
      ) : null}
    </div>
  );
}

const isSingle = (n: Node) => n.kind === undefined;

const strokes = { bad: "stroke-bad", warn: "stroke-warn", quiet: "stroke-edge" };

function Ribbon({ band: b, title, onClick }: { band: Band; title: string; onClick: () => void }) {
  const middle = width / 2;
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: the table leads to the same by keyboard
    <path
      d={`M0 ${b.y1} C ${middle} ${b.y1}, ${middle} ${b.y2}, ${width} ${b.y2}`}
      fill="none"
      vectorEffect="non-scaling-stroke"
      strokeWidth={b.size}
      className={`cursor-pointer opacity-50 transition-opacity hover:opacity-90 ${b.tone === "good" ? "stroke-accent" : strokes[b.tone]}`}
      onClick={onClick}
    >
      <title>{title}</title>
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
