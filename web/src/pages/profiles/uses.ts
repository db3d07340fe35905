import type { WorkspaceDocument } from "../../api/client";
import type { Profile } from "./use-set";

/** Something that uses a feature or an audience, with where its page is below the workspace. */
export type Use = { text: string; at: string[] };

/** What uses a feature: others, audiences, and syncs that send its column. */
export function usesOfFeature(document: WorkspaceDocument, profile: Profile, name: string): Use[] {
  const word = new RegExp(`(^|[^a-z0-9_])${name}($|[^a-z0-9_(])`);
  const features = (profile.features ?? []).filter(
    (f) => f.name !== name && (f.ratio?.includes(name) || word.test(f.sql ?? "")),
  );
  const audiences = (profile.audiences ?? []).filter((a) => named(a.where, name));
  const models = (document.models ?? []).filter(
    (m) => m.warehouse === profile.warehouse && (m.audience || (m.table ?? "").startsWith("profiles.")),
  );
  const syncs = (document.syncs ?? []).filter(
    (s) =>
      models.some((m) => m.name === s.model) &&
      [...Object.values(s.mapping ?? {}), ...Object.values(s.identifiers ?? {})].includes(name),
  );
  return [
    ...features.map((f) => ({ text: `the feature ${f.name}`, at: ["features", f.name] })),
    ...audiences.map((a) => ({ text: `the audience ${a.name}`, at: ["audiences", a.name] })),
    ...syncs.map((s) => ({ text: `the sync ${s.name}`, at: ["syncs", s.name] })),
  ];
}

/** What uses an audience: models, and the syncs of them. */
export function usesOfAudience(document: WorkspaceDocument, profile: Profile, name: string): Use[] {
  const models = (document.models ?? []).filter((m) => m.warehouse === profile.warehouse && m.audience === name);
  const syncs = (document.syncs ?? []).filter((s) => models.some((m) => m.name === s.model));
  return [
    ...models.map((m) => ({ text: `the model ${m.name}`, at: ["models", m.name] })),
    ...syncs.map((s) => ({ text: `the sync ${s.name}`, at: ["syncs", s.name] })),
  ];
}

/** Whether conditions compare a feature. */
function named(where: unknown, name: string): boolean {
  if (Array.isArray(where)) return where.some((w) => named(w, name));
  if (typeof where !== "object" || where === null) return false;
  return Object.entries(where).some(([k, v]) => {
    if (k === "not" || k === "any" || k === "all") return named(v, name);
    return k === name && !("did" in where && (k === "where" || k === "last" || k === "times"));
  });
}
