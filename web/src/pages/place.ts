export const areas = ["overview", "live", "transformations", "warehouses"] as const;
export type Area = (typeof areas)[number];

/** The workspace and the part of it that a path names; the overview where it names none. */
export function placeIn(path: string): { name: string | undefined; area: Area } {
  const [, name, part] = /^\/workspaces\/([^/]+)(?:\/([^/]*))?\/?$/.exec(path) ?? [];
  const area = areas.find((a) => a === part) ?? "overview";
  if (name === undefined) return { name, area: "overview" };
  try {
    return { name: decodeURIComponent(name), area };
  } catch {
    return { name, area };
  }
}

/** The path of a part of a workspace. */
export function pathOf(workspace: string, area: Area): string {
  return `/workspaces/${encodeURIComponent(workspace)}${area === "overview" ? "" : `/${area}`}`;
}
