/** An object of a picture, or several of a kind together. */
export type Node = {
  key: string;
  title: string;
  /** The names of the objects in it. */
  names: readonly string[];
  /** Of several: their kind, by which the node is opened. Absent of a single object. */
  kind?: string;
  /** Whether it is the head of an opened kind, whose objects follow it; then it has no names. */
  open?: boolean;
};

type Named = { name: string; type: string };

export const mostDrawn = 30; // objects on a side

/**
 * The nodes of a side. Up to mostDrawn objects stand for themselves unless together is set; more stand together by kind, and those of opened kinds
 * one by one, the greatest first, with what is too much of a kind as one node.
 */
export function nodesOf(
  objects: readonly Named[],
  { together, opened, titleOf, amountOf }: Grouping & { together: boolean },
): Node[] {
  const single = (o: Named): Node => ({ key: `one ${o.name}`, title: o.name, names: [o.name] });
  if (!together && objects.length <= mostDrawn) return objects.map(single);
  const kinds = new Map<string, Named[]>();
  for (const o of objects) {
    const kind = o.type;
    const list = kinds.get(kind);
    if (list) list.push(o);
    else kinds.set(kind, [o]);
  }
  const nodes: Node[] = [];
  for (const [kind, members] of [...kinds].sort(([, a], [, b]) => b.length - a.length)) {
    const [first] = members;
    const group = { key: `kind ${kind}`, title: titleOf(kind), kind };
    if (members.length === 1 && first) nodes.push(single(first));
    else if (!opened.includes(kind)) nodes.push({ ...group, names: members.map((m) => m.name) });
    else {
      const sorted = [...members].sort((a, b) => amountOf(b.name) - amountOf(a.name));
      const shown = sorted.length > mostDrawn ? sorted.slice(0, mostDrawn - 1) : sorted;
      const rest = sorted.slice(shown.length);
      nodes.push({ ...group, key: `head ${kind}`, names: [], open: true }, ...shown.map(single));
      if (rest.length > 0) nodes.push({ key: `rest ${kind}`, title: "Others", names: rest.map((m) => m.name), kind });
    }
  }
  return nodes;
}

export type Grouping = {
  /** The kinds that somebody opened. */
  opened: readonly string[];
  titleOf: (kind: string) => string;
  /** How much goes through an object. */
  amountOf: (name: string) => number;
};
