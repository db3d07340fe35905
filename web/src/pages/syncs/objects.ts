import { parse } from "yaml";
import type { Spec } from "../../api/tenants";
import type { Configured } from "../../draft/configured";
import type { Objects } from "../../draft/edits";
import { isRecord } from "../object/field-input";
import { specOf } from "../object/kinds";

export type Field = { name: string; doc?: string; required?: boolean };

/** A kind of record that syncs keep in a destination. */
export type SyncObject = {
  name: string;
  title: string;
  doc?: string;
  actions: string[];
  identifiers?: Field[];
  fields?: Field[];
  closed?: boolean;
};

/** What syncs can keep in a destination; of a custom one its own spec says it. */
export function objectsFor(d: Objects["destination"], kinds: Spec[] | undefined): SyncObject[] {
  if (d.type !== "custom") return list(specOf(kinds, "destination", d.type)?.objects);
  try {
    const spec: unknown = parse(d.spec ?? "");
    if (typeof spec === "object" && spec !== null && "objects" in spec && Array.isArray(spec.objects))
      return list(spec.objects);
  } catch {
    // its page says what is wrong with it
  }
  return [];
}

function list(objects: unknown): SyncObject[] {
  return Array.isArray(objects) ? objects.filter(isObject) : [];
}

function isObject(o: unknown): o is SyncObject {
  return isRecord(o) && typeof o.name === "string" && Array.isArray(o.actions);
}

/** The destinations that syncs can keep rows in. */
export function receivers(c: Configured, kinds: Spec[] | undefined): Objects["destination"][] {
  return (c.document.destinations ?? []).filter((d) => objectsFor(d, kinds).length > 0);
}

export const modes = {
  upsert: { title: "Make and change records", needs: ["upsert"] },
  update: { title: "Only change records that are there", needs: ["update"] },
  insert: { title: "Only make new records", needs: ["insert"] },
  mirror: { title: "Keep them the same: make, change and delete", needs: ["upsert", "delete"] },
  snapshot: { title: "Write all rows anew when any has changed", needs: ["snapshot"] },
  append: { title: "Send each new or changed row as a new record", needs: ["insert"] },
} as const;

export type Mode = keyof typeof modes;

/** The ways in which rows can be kept as an object. */
export function modesFor(o: SyncObject | undefined): Mode[] {
  return (Object.keys(modes) as Mode[]).filter((m) => !o || modes[m].needs.every((a) => o.actions.includes(a)));
}

/** What may become of records whose row is gone. */
export function removalsFor(o: SyncObject | undefined, mode: Mode): { value: string; title: string }[] {
  if (mode === "append") return [{ value: "", title: "Nothing" }];
  if (mode === "snapshot") return [{ value: "", title: "The next set is without them" }];
  if (mode === "mirror") return [{ value: "", title: "They are deleted" }];
  const all = [{ value: "", title: "Nothing" }];
  if (!o || o.actions.includes("delete")) all.push({ value: "delete", title: "They are deleted" });
  if (!o || o.actions.includes("upsert") || o.actions.includes("update"))
    all.push({ value: "clear", title: "Their fields are emptied" });
  return all;
}
