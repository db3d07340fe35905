import type { Connection, WorkspaceDocument } from "../../api/client";
import { connectionKey } from "../../draft/edits";
import { putQuery, useQueryText } from "../../parts/path";
import { type Flow, type Numbers, nothing, sumsBy } from "../flow";
import { categoryOf, categoryTitle, specOf, useCatalog } from "../object/kinds";
import type { Pair } from "./bands";
import { mostDrawn, type Node, nodesOf } from "./nodes";

const mostBands = 200; // between single objects; more are no picture, and slow

export type Side = "source" | "destination";
export type Drawn = { nodes: Node[]; numbers: Numbers[] };

/** What a picture of connections shows on each side, grouped by kind where it is too much, and what goes between. */
export function useNodes(document: WorkspaceDocument, connections: readonly Connection[], flow: Flow | undefined) {
  const open = new URLSearchParams(useQueryText()).get("open") ?? "";
  const of = (side: Side) => {
    const joined = new Set(connections.map((c) => c[side]));
    return (document[`${side}s`] ?? []).filter((o) => joined.has(o.name));
  };
  const objects = { source: of("source"), destination: of("destination") };
  const crowd = connections.length > mostBands;
  const isGrouped = crowd || objects.source.length > mostDrawn || objects.destination.length > mostDrawn;
  const kinds = useCatalog(isGrouped);
  const opened = (side: Side) =>
    open.split(",").flatMap((o) => (o.startsWith(`${side}.`) ? [o.slice(side.length + 1)] : []));
  const drawn = (side: Side): Drawn => {
    const by = side === "source" ? "accepted" : "routed";
    const isOwn = (r: { destination: string }) => (r.destination === "") === (side === "source");
    const many = new Set(objects[side].map((o) => o.type)).size > mostDrawn;
    const named = objects[side].map(({ name, type }) => {
      const spec = many ? specOf(kinds.data, side, type) : undefined;
      return { name, type: spec ? categoryOf(spec) : type };
    });
    const each = isGrouped ? sumsBy(flow, (r) => (isOwn(r) ? r[side] : undefined), by) : undefined;
    const nodes = nodesOf(named, {
      together: crowd && named.length > 1,
      opened: opened(side),
      titleOf: (kind) => specOf(kinds.data, side, kind)?.title ?? categoryTitle(kind),
      amountOf: (name) => each?.get(name)?.[by] ?? 0,
    });
    const index = placesOf(nodes);
    const sums = sumsBy(flow, (r) => (isOwn(r) ? index.get(r[side]) : undefined), by);
    return { nodes, numbers: nodes.map((_, i) => sums.get(i) ?? nothing) };
  };
  const sources = drawn("source");
  const destinations = drawn("destination");
  return {
    sources,
    destinations,
    isGrouped,
    pairs: pairsOf(connections, placesOf(sources.nodes), placesOf(destinations.nodes), flow),
    toggle: (side: Side, kind: string) => {
      const key = `${side}.${kind}`;
      const all = open.split(",").filter((o) => o !== "");
      putQuery("open", (all.includes(key) ? all.filter((o) => o !== key) : [...all, key]).join());
    },
  };
}

/** At which node each object is. */
function placesOf(nodes: readonly Node[]): Map<string, number> {
  return new Map(nodes.flatMap((n, i) => n.names.map((name): [string, number] => [name, i])));
}

function pairsOf(
  connections: readonly Connection[],
  sources: Map<string, number>,
  destinations: Map<string, number>,
  flow: Flow | undefined,
): Pair[] {
  const pairs = new Map<string, Pair>();
  const pairOf = new Map<string, string>();
  for (const c of connections) {
    const [from, to] = [sources.get(c.source), destinations.get(c.destination)];
    if (from === undefined || to === undefined) continue;
    const key = `${from} ${to}`;
    pairOf.set(connectionKey(c.source, c.destination), key);
    const known = pairs.get(key);
    if (known) known.connections++;
    else pairs.set(key, { from, to, n: nothing, connections: 1 });
  }
  const sums = sumsBy(flow, (r) => pairOf.get(connectionKey(r.source, r.destination)), "routed");
  return [...pairs].map(([key, p]) => ({ ...p, n: sums.get(key) ?? nothing }));
}
