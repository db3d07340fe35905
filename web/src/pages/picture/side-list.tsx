import { useWorkspace } from "../../frame/place";
import { Icon } from "../../parts/icon";
import { Link } from "../../parts/link";
import { count } from "../flow";
import type { Loss } from "./losses";
import type { Node } from "./nodes";
import type { Side } from "./use-nodes";

type Props = {
  side: Side;
  nodes: readonly Node[];
  losses: readonly Loss[][];
  /** The numbers of a node, by its place. */
  said: (i: number) => string;
  onToggle: (side: Side, kind: string) => void;
};

/** The names at a side of the picture, with their numbers; kinds are buttons that open and close them. */
export function SideList({ side, nodes, losses, said, onToggle }: Props) {
  return (
    <ul className={`flex min-w-0 flex-col justify-around gap-2 ${side === "destination" ? "pl-2 sm:pl-3" : ""}`}>
      {nodes.map((n, i) => (
        <li key={n.key} className="flex min-h-11 flex-col justify-center text-sm">
          <Name side={side} node={n} onToggle={onToggle} />
          {n.open ? null : (
            <span className="text-xs text-soft tabular-nums">
              {n.kind === undefined ? "" : `${count(n.names.length)} ${side}s, `}
              {said(i)}
              <Losses all={losses[i] ?? []} />
            </span>
          )}
        </li>
      ))}
    </ul>
  );
}

function Name({ side, node: n, onToggle }: { side: Side; node: Node; onToggle: Props["onToggle"] }) {
  const { path } = useWorkspace();
  const { kind } = n;
  if (kind === undefined)
    return (
      <Link href={path(`${side}s`, n.title)} look="name" className="truncate">
        {n.title}
      </Link>
    );
  if (n.key.startsWith("rest"))
    return (
      <Link href={`${path("connections")}?${new URLSearchParams({ q: kind })}`} look="name" className="truncate">
        {n.title}
      </Link>
    );
  return (
    <button
      type="button"
      aria-expanded={n.open === true}
      onClick={() => onToggle(side, kind)}
      className="flex min-w-0 items-center gap-1 text-left font-medium hover:text-accent"
    >
      <Icon name={n.open ? "down" : "right"} />
      <span className="truncate">{n.title}</span>
    </button>
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
