import { stringify } from "yaml";
import type { WorkspaceDocument } from "../api/client";

type Secret = { version: number; fingerprint: string; sealed?: unknown };

/** A configuration as a file for `weir apply`. Secrets that are not published yet are read from variables there. */
export function asYaml(document: WorkspaceDocument): string {
  const { id: _, ...file } = document;
  const plain = JSON.parse(JSON.stringify(file)) as Record<string, unknown>;
  for (const list of Object.values(plain)) {
    if (!Array.isArray(list)) continue;
    for (const o of list as Record<string, unknown>[]) {
      delete o.id;
      if (o.secrets) o.secrets = secretsOf(String(o.name), o.secrets as Record<string, Secret>);
    }
  }
  return stringify(plain, { lineWidth: 0 });
}

function secretsOf(name: string, secrets: Record<string, Secret>) {
  return Object.fromEntries(
    Object.entries(secrets).map(([field, s]) => [field, s.sealed ? { from: "env", name: variable(name, field) } : s]),
  );
}

/** The name of a variable for a secret. */
function variable(name: string, field: string): string {
  return `WEIR_SECRET_${`${name}_${field}`
    .replace(/([a-z])([A-Z])/g, "$1_$2")
    .replace(/[^A-Za-z0-9]+/g, "_")
    .toUpperCase()}`;
}
