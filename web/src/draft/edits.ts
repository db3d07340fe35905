import type { WorkspaceDocument } from "../api/client";
import type { components } from "../api/schema.gen";

type Schemas = components["schemas"];

/** What a workspace has of each kind. */
export type Objects = {
  source: Schemas["Source"];
  destination: Schemas["Destination"];
  transformation: Schemas["Transformation"];
  library: Schemas["Library"];
  consentCategory: Schemas["ConsentCategory"];
  model: Schemas["Model"];
  profile: Schemas["Profile"];
  sync: Schemas["Sync"];
  connection: Schemas["Connection"];
};
export type Kind = keyof Objects;
export type Any = Objects[Kind];

/** Where a document has the objects of a kind. */
export const lists = {
  source: "sources",
  destination: "destinations",
  transformation: "transformations",
  library: "libraries",
  consentCategory: "consentCategories",
  model: "models",
  profile: "profiles",
  sync: "syncs",
  connection: "connections",
} as const satisfies Record<Kind, keyof WorkspaceDocument>;

/**
 * One object as somebody wants it. key is its name in what was published, or its own when it is new. base is what it
 * was when it was opened, null for a new one; next is null when it is to be removed.
 */
export type Edit = { kind: Kind; key: string; base: Any | null; next: Any | null };

/** What somebody else changed in the same place: mine is what is published unless it is given up. */
export type Clash = { kind: Kind; key: string; field: string; mine: unknown; theirs: unknown };

export type Merged = { document: WorkspaceDocument; clashes: Clash[] };

/** The name that an object goes by. */
export function keyOf(o: Any): string {
  return "source" in o && "destination" in o ? connectionKey(o.source, o.destination) : (o as { name: string }).name;
}

export function connectionKey(source: string, destination: string): string {
  return `${source} -> ${destination}`;
}

/** The objects of a kind in a document. */
export function objectsOf<K extends Kind>(document: WorkspaceDocument, kind: K): Objects[K][] {
  return (document[lists[kind]] ?? []) as Objects[K][];
}

/** The object that has a key, if there is one. */
export function find<K extends Kind>(document: WorkspaceDocument, kind: K, key: string): Objects[K] | undefined {
  return objectsOf(document, kind).find((o) => keyOf(o) === key);
}

/** Puts an edit among others, in place of the former one of the same object; one that changes nothing is left out. */
export function withEdit(edits: readonly Edit[], edit: Edit): Edit[] {
  const former = edits.find(
    (e) => e.kind === edit.kind && (e.key === edit.key || (e.next !== null && keyOf(e.next) === edit.key)),
  );
  const rest = edits.filter((e) => e !== former);
  const base = former ? former.base : edit.base;
  const { kind, next } = edit;
  if (base === null) return next === null ? rest : [...rest, { kind, key: keyOf(next), base, next }];
  if (next !== null && same(base, next)) return rest;
  return [...rest, { kind, key: keyOf(base), base, next }];
}

/** The document with every edit in it, merged field by field with what is published now. */
export function merge(published: WorkspaceDocument, edits: readonly Edit[]): Merged {
  const clashes: Clash[] = [];
  let document = published;
  for (const edit of edits) document = put(document, edit, clashes);
  return { document: consistent(document, published, edits), clashes };
}

function put(document: WorkspaceDocument, edit: Edit, clashes: Clash[]): WorkspaceDocument {
  const all = objectsOf(document, edit.kind) as Any[];
  const current = all.find((o) => sameObject(o, edit));
  const set = (objects: Any[]): WorkspaceDocument => ({ ...document, [lists[edit.kind]]: objects });
  if (edit.next === null) return set(all.filter((o) => o !== current));
  const clash = (field: string, theirs: unknown) =>
    clashes.push({ kind: edit.kind, key: edit.key, field, mine: edit.next, theirs });
  if (!current) {
    if (edit.base) clash("", null); // somebody removed it meanwhile: it is made again
    return set([...all, edit.next]);
  }
  if (!edit.base && !same(current, edit.next)) clash("", current); // somebody made one of the same name meanwhile
  const merged = edit.base ? mergeObject(edit, current, clashes) : edit.next;
  return set(all.map((o) => (o === current ? renamed(merged, edit) : o)));
}

/** Whether o is what an edit is about: by its identifier where it has one, else by its name. */
function sameObject(o: Any, edit: Edit): boolean {
  const id = edit.base && "id" in edit.base ? edit.base.id : undefined;
  if (id && "id" in o && o.id) return o.id === id;
  return keyOf(o) === edit.key;
}

function renamed(o: Any, edit: Edit): Any {
  if (edit.kind === "connection" || !edit.base || keyOf(o) === keyOf(edit.base)) return o;
  if (edit.kind === "library" || edit.kind === "consentCategory") return o;
  return { ...o, was: keyOf(edit.base) } as Any;
}

const nested = ["settings", "secrets", "events", "consent"];

/** Lists of a profile whose members go by names: two people who change two of them do not meet. */
const named = ["features", "scores", "audiences", "inputs"];

function byName(list: unknown): Bag {
  return Object.fromEntries((Array.isArray(list) ? list : []).map((m) => [String(record(m).name), m]));
}

function mergeObject(edit: Edit, current: Any, clashes: Clash[]): Any {
  const { base, next } = edit;
  return mergeFields(record(base), record(current), record(next), (field, mine, theirs) =>
    clashes.push({ kind: edit.kind, key: edit.key, field, mine, theirs }),
  ) as unknown as Any;
}

type Bag = Record<string, unknown>;

function mergeFields(
  base: Bag,
  theirs: Bag,
  mine: Bag,
  clash: (field: string, mine: unknown, theirs: unknown) => void,
): Bag {
  const out: Bag = {};
  for (const name of new Set([...Object.keys(theirs), ...Object.keys(mine)])) {
    const [b, t, m] = [base[name], theirs[name], mine[name]];
    let value: unknown;
    if (same(b, m)) value = t;
    else if (same(b, t) || same(m, t)) value = m;
    else if (nested.includes(name) && isBag(t) && isBag(m))
      value = mergeFields(record(b), t, m, (field, x, y) => clash(`${name}.${field}`, x, y));
    else if (named.includes(name) && Array.isArray(t) && Array.isArray(m))
      value = Object.values(
        mergeFields(byName(b), byName(t), byName(m), (field, x, y) => clash(`${name}.${field}`, x, y)),
      );
    else {
      clash(name, m, t);
      value = m;
    }
    if (value !== undefined) out[name] = value;
  }
  return out;
}

/** What names other objects follows them: connections go with what is removed; they, models, profiles and syncs follow names. */
function consistent(
  document: WorkspaceDocument,
  published: WorkspaceDocument,
  edits: readonly Edit[],
): WorkspaceDocument {
  const names = (kind: Kind) =>
    new Map(
      edits
        .filter((e) => e.kind === kind && e.base)
        .map((e) => [keyOf(e.base as Any), e.next ? keyOf(e.next) : undefined]),
    );
  const [sources, destinations, transformations] = [names("source"), names("destination"), names("transformation")];
  const has = (kind: Kind, name: string) => (objectsOf(document, kind) as Any[]).some((o) => keyOf(o) === name);
  const follow = (map: Map<string, string | undefined>, kind: Kind, name: string) =>
    map.has(name) && !has(kind, name) ? map.get(name) : name;
  const connections = (document.connections ?? []).flatMap((c) => {
    const source = follow(sources, "source", c.source);
    const destination = follow(destinations, "destination", c.destination);
    if (source === undefined || destination === undefined) return [];
    const chain = c.transformations?.flatMap((t) => follow(transformations, "transformation", t) ?? []);
    return [
      {
        ...c,
        source,
        destination,
        ...(chain && chain.length > 0 ? { transformations: chain } : {}),
        ...(chain?.length === 0 ? { transformations: [] } : {}),
      },
    ];
  });
  const out = { ...document };
  if (connections.length > 0 || published.connections) out.connections = connections;
  const models = names("model");
  const to = (name: string) => follow(destinations, "destination", name) ?? name;
  if (document.models) out.models = document.models.map((m) => ({ ...m, warehouse: to(m.warehouse) }));
  if (document.profiles) out.profiles = document.profiles.map((p) => ({ ...p, warehouse: to(p.warehouse) }));
  if (document.syncs)
    out.syncs = document.syncs.map((s) => ({
      ...s,
      model: follow(models, "model", s.model) ?? s.model,
      destination: to(s.destination),
    }));
  return out;
}

export function same(a: unknown, b: unknown): boolean {
  return JSON.stringify(sorted(a)) === JSON.stringify(sorted(b));
}

function sorted(v: unknown): unknown {
  if (Array.isArray(v)) return v.map(sorted);
  if (!isBag(v)) return v;
  return Object.fromEntries(
    Object.keys(v)
      .sort()
      .filter((k) => v[k] !== undefined && !(Array.isArray(v[k]) && (v[k] as unknown[]).length === 0))
      .map((k) => [k, sorted(v[k])]),
  );
}

function isBag(v: unknown): v is Bag {
  return typeof v === "object" && v !== null && !Array.isArray(v);
}

function record(v: unknown): Bag {
  return isBag(v) ? v : {};
}
