import { useQuery } from "@tanstack/react-query";
import { catalog, type Field, readSpec, type Spec } from "../../api/tenants";
import { keys } from "../../queries";

/** Every kind of source, destination and warehouse. */
export function useCatalog(enabled = true) {
  return useQuery({
    queryKey: keys.catalog,
    queryFn: ({ signal }) => catalog(signal),
    staleTime: 600_000,
    enabled,
  });
}

/** The kind of an object; warehouses are destinations of a workspace. */
export function specOf(all: Spec[] | undefined, family: "source" | "destination", type: string): Spec | undefined {
  return all?.find((s) => s.name === type && (s.family === "source") === (family === "source"));
}

/** The type of objects whose kind stands beside them, in a spec of their own. */
export const ownType = "custom";

/** What a spec of one's own declares. An error whose fields are places in the spec; nothing is asked for "". */
export function useOwnSpec(family: "source" | "destination", spec: string) {
  return useQuery({
    queryKey: [...keys.catalog, family, spec],
    queryFn: ({ signal }) => readSpec(family, spec, signal),
    enabled: spec.trim() !== "",
    staleTime: Number.POSITIVE_INFINITY, // a text says the same for as long as a release runs
  });
}

/** The kind of an object: the catalogue's, or what its own spec declares. */
export function useKindOf(family: "source" | "destination", object: { type: string; spec?: string } | undefined) {
  const kinds = useCatalog();
  const isOwn = object?.type === ownType;
  const own = useOwnSpec(family, isOwn ? (object.spec ?? "") : "");
  return isOwn ? own : { ...kinds, data: object && specOf(kinds.data, family, object.type) };
}

/** The categories of shared/catalog in the order in which a catalogue shows them, with their titles. */
const titles: Record<string, string> = {
  warehouse: "Warehouses",
  analytics: "Analytics",
  advertising: "Advertising",
  engagement: "Engagement",
  crm: "CRM and support",
  stream: "Streams and stores",
  commerce: "Commerce and payments",
  development: "Development",
  generic: "Your own",
  other: "Others",
};

/** The category in which a catalogue shows a kind. */
export function categoryOf(spec: Spec): string {
  const said = spec.category ?? "";
  return said in titles ? said : "other"; // a plane's release may know more
}

export const categories = Object.keys(titles);
export const categoryTitle = (category: string) => titles[category] ?? category;

/** What is wrong with a value of a field that can be told here; "" for nothing. The control plane checks all of it. */
export function wrong(field: Field, value: unknown): string {
  const absent = value === undefined || value === "" || (Array.isArray(value) && value.length === 0);
  if (absent) return field.required && field.default === undefined ? `${field.title} is needed.` : "";
  if (field.type === "integer") {
    if (typeof value !== "number" || !Number.isInteger(value)) return "Give a whole number.";
    if (field.min !== undefined && value < field.min) return `Give ${field.min} at least.`;
    if (field.max !== undefined && value > field.max) return `Give ${field.max} at most.`;
  }
  if (field.type === "url" && typeof value === "string" && !/^https?:\/\/[^/\s]+/.test(value))
    return "Give an address that begins with https:// or http://.";
  if (field.type === "duration" && typeof value === "string" && !/^(\d+(\.\d+)?(ms|s|m|h))+$/.test(value))
    return "Give a time such as 200ms, 30s or 5m.";
  if (field.type === "string" && typeof value === "string") {
    if (field.pattern !== undefined && !matches(field.pattern, value))
      return "It is not of the form that is expected here.";
    if (field.min !== undefined && value.length < field.min) return `Give ${field.min} characters at least.`;
  }
  return "";
}

function matches(pattern: string, value: string): boolean {
  try {
    return new RegExp(`^(?:${pattern})$`, "su").test(value);
  } catch {
    return true; // a form that browsers do not know is left to the control plane
  }
}

export const nameForm = /^[A-Za-z0-9](?:[A-Za-z0-9 _.-]{0,62}[A-Za-z0-9])?$/;

/** What is wrong with a name of a source or destination; "" for nothing. */
export function wrongName(name: string, taken: readonly string[]): string {
  if (name === "") return "Give it a name.";
  if (!nameForm.test(name))
    return "Use 1 to 64 letters, digits, spaces, '_', '-' and '.', a letter or digit first and last.";
  return taken.includes(name) ? "There is one of this name already." : "";
}

/** A name that is free, such as webhook-2. */
export function freeName(base: string, taken: readonly string[]): string {
  if (!taken.includes(base)) return base;
  for (let n = 2; ; n++) if (!taken.includes(`${base}-${n}`)) return `${base}-${n}`;
}
