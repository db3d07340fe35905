import type { Plane, Workspace } from "../../api/client";
import { sentTo } from "../../api/sent-to";
import type { Spec } from "../../api/tenants";
import type { Objects } from "../../draft/edits";
import { newId } from "../../seal/id";

type Holder = Objects["source"] | Objects["destination"];

type Wanted = {
  kind: "source" | "destination";
  spec: Spec;
  workspace: Pick<Workspace, "id" | "region">;
  planes: readonly Plane[];
  opened: Holder;
  /** The same object as it is published, if it is. */
  published: Holder | undefined;
  settings: Readonly<Record<string, unknown>>;
  typed: Readonly<Record<string, string>>;
};

/** The secrets of an object with those that were typed sealed, and its identifier where it needs one for that. */
export async function sealed(w: Wanted): Promise<{ id?: string; secrets?: NonNullable<Holder["secrets"]> }> {
  if (Object.keys(w.typed).length === 0) return w.opened.secrets ? { secrets: w.opened.secrets } : {};
  const { sealFor } = await import("../../seal/seal");
  const id = w.opened.id ?? newId(w.kind === "source" ? "src" : "dst");
  const secrets: NonNullable<Holder["secrets"]> = { ...w.opened.secrets };
  const to = sentTo(w.spec, w.settings);
  for (const [field, clear] of Object.entries(w.typed)) {
    const version = (w.published?.secrets?.[field]?.version ?? 0) + 1;
    const name = { workspace: w.workspace.id, family: w.kind, object: id, field, version };
    secrets[field] = await sealFor(w.planes, w.workspace.region, name, to, clear);
  }
  return { id, secrets };
}

/**
 * The secrets that would be sent elsewhere with these settings than they were sealed for. former is the kind that a
 * custom object had when it was opened: another spec may send them elsewhere, too.
 */
export function movedSecrets(
  spec: Spec,
  opened: Holder,
  settings: Readonly<Record<string, unknown>>,
  former: Spec = spec,
): string[] {
  const held = Object.keys(opened.secrets ?? {});
  if (held.length === 0 || sentTo(former, opened.settings ?? {}) === sentTo(spec, settings)) return [];
  return held;
}
