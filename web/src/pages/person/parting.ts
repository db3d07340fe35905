import type { Person, PersonLink } from "../../api/profiles";

/** An identifier as links and decisions name it. */
export function idOf(i: Person["identifiers"][number]): string {
  return `${i.type}:${i.value}`;
}

/** The links between identifiers that are somebody else's and those that stay. */
export function crossing(links: readonly PersonLink[], others: ReadonlySet<string>): PersonLink[] {
  return links.filter((l) => others.has(l.from) !== others.has(l.to));
}

/** The groups into which identifiers fall once links are taken away, the one with most first. */
export function groups(p: Pick<Person, "identifiers" | "links">, without: readonly PersonLink[]): string[][] {
  const gone = new Set(without);
  const beside = new Map<string, string[]>(p.identifiers.map((i) => [idOf(i), []]));
  for (const l of p.links) {
    if (gone.has(l)) continue;
    beside.get(l.from)?.push(l.to);
    beside.get(l.to)?.push(l.from);
  }
  const seen = new Set<string>();
  const all: string[][] = [];
  for (const start of beside.keys()) {
    if (seen.has(start)) continue;
    seen.add(start);
    const group = [start];
    for (let at = group[0], i = 0; at !== undefined; i++, at = group[i])
      for (const next of beside.get(at) ?? [])
        if (!seen.has(next)) {
          seen.add(next);
          group.push(next);
        }
    all.push(group);
  }
  return all.sort((a, b) => b.length - a.length);
}

/** With what each identifier was seen, on the way from the first one; the first one has none. */
export function reasons(p: Pick<Person, "identifiers" | "links">): Map<string, PersonLink> {
  const first = p.identifiers[0];
  const why = new Map<string, PersonLink>();
  if (!first) return why;
  const reached = new Set([idOf(first)]);
  const queue = [idOf(first)];
  for (let at = queue[0], i = 0; at !== undefined; i++, at = queue[i])
    for (const l of p.links) {
      const next = l.from === at ? l.to : l.to === at ? l.from : undefined;
      if (next === undefined || reached.has(next)) continue;
      reached.add(next);
      why.set(next, { ...l, from: at, to: next });
      queue.push(next);
    }
  return why;
}
