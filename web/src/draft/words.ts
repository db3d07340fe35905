import type { Change } from "../api/drafts";

export const kinds: Record<Change["kind"], string> = {
  workspace: "Workspace",
  source: "Source",
  library: "Library",
  transformation: "Transformation",
  destination: "Destination",
  consentCategory: "Consent category",
  model: "Model",
  profile: "Profile",
  sync: "Sync",
  connection: "Connection",
};

export const ops: Record<Change["op"], { word: string; sign: string; tone: "good" | "bad" | "warn" }> = {
  add: { word: "Added", sign: "+", tone: "good" },
  change: { word: "Changed", sign: "~", tone: "warn" },
  rename: { word: "Renamed", sign: "~", tone: "warn" },
  remove: { word: "Removed", sign: "−", tone: "bad" },
};

/** A change in one sentence, such as for a list of revisions. */
export function changeText(c: Change): string {
  const kind = (kinds[c.kind] ?? c.kind).toLowerCase();
  const fields = c.fields && c.fields.length > 0 ? `: ${c.fields.map(fieldText).join(", ")}` : "";
  const name = c.name.replace(" -> ", " → ");
  if (c.op === "rename") return `Renamed ${kind} ${c.was ?? ""} to ${name}`;
  return `${(ops[c.op] ?? ops.change).word} ${kind} ${name}${fields}`;
}

/** A field of a change in words: settings.batch.size is "batch size". */
export function fieldText(path: string): string {
  return path
    .replace(/^settings\./, "")
    .replace(/^secrets\./, "secret ")
    .replaceAll(".", " ")
    .replace(/([a-z0-9])([A-Z])/g, "$1 $2")
    .toLowerCase();
}
