import type { WorkspaceDocument } from "../../api/client";
import type { Score } from "../../api/profiles";
import { gainsOf } from "./gains";
import type { Profile } from "./use-set";
import { aggregates } from "./words";

/** Something that uses a feature, a score or an audience, with where its page is below the workspace. */
export type Use = { text: string; at: string[] };

/** The features that a score is made from, as far as its declaration names them; nothing of one that is read from a table. */
export function inputsOf(s: Score, features: readonly string[]): string[] {
  if (s.predict) return s.features ?? [];
  if (s.model === "logistic") return Object.keys(s.weights ?? {});
  if (s.model === "sql") return features.filter((f) => word(f).test(s.sql ?? ""));
  if (s.model === "boosted") return s.features ?? Object.keys(gainsOf(s));
  return [];
}

function word(name: string): RegExp {
  return new RegExp(`(^|[^a-z0-9_])${name}($|[^a-z0-9_(])`);
}

/** What uses a feature or a score: features, scores, audiences, and syncs that send its column. */
export function usesOfFeature(document: WorkspaceDocument, profile: Profile, name: string): Use[] {
  const names = word(name);
  const features = (profile.features ?? []).filter(
    (f) => f.name !== name && (f.ratio?.includes(name) || names.test(f.sql ?? "")),
  );
  const scores = (profile.scores ?? []).filter((s) => s.name !== name && inputsOf(s, [name]).includes(name));
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
    ...scores.map((s) => ({ text: `the score ${s.name}`, at: ["scores", s.name] })),
    ...audiences.map((a) => ({ text: `the audience ${a.name}`, at: ["audiences", a.name] })),
    ...syncs.map((s) => ({ text: `the sync ${s.name}`, at: ["syncs", s.name] })),
  ];
}

/** What counts or compares rows of an input: features, scores and audiences. */
export function usesOfInput(profile: Profile, name: string): Use[] {
  const of = (path: string | undefined) => (path ?? "").split(".")[0] === name;
  const features = (profile.features ?? []).filter((f) =>
    aggregates.some(({ kind, of: rows }) => rows !== "features" && [f[kind] ?? []].flat().some(of)),
  );
  const scores = (profile.scores ?? []).filter((s) => of(s.table) || [s.predict, s.among].some((w) => did(w, name)));
  const audiences = (profile.audiences ?? []).filter((a) => did(a.where, name));
  return [
    ...features.map((f) => ({ text: `the feature ${f.name}`, at: ["features", f.name] })),
    ...scores.map((s) => ({ text: `the score ${s.name}`, at: ["scores", s.name] })),
    ...audiences.map((a) => ({ text: `the audience ${a.name}`, at: ["audiences", a.name] })),
  ];
}

/** Whether conditions ask for rows of an input. */
function did(where: unknown, input: string): boolean {
  if (Array.isArray(where)) return where.some((w) => did(w, input));
  if (typeof where !== "object" || where === null) return false;
  return Object.entries(where).some(([k, v]) =>
    k === "did" ? v === input : (k === "not" || k === "any" || k === "all") && did(v, input),
  );
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
