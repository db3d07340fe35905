import { createContext, useContext } from "react";
import type { Me, Status, Workspace } from "../api/client";

/** What a path says of where one is; page is the rest of it, such as "sources/web". */
export type Place = { organization: string; workspace: string | undefined; page: string };

/** The organization and the workspace that a path names. */
export function placeIn(path: string): Place {
  const parts = path
    .split("/")
    .filter((p) => p !== "")
    .map(decoded);
  const organization = parts[0] === "orgs" ? (parts.splice(0, 2)[1] ?? "") : "";
  const workspace = parts[0] === "workspaces" ? parts.splice(0, 2)[1] : undefined;
  return { organization, workspace, page: parts.join("/") };
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

/** The path of a page of an organization; "" is the caller's only one. */
export function inOrganization(organization: string, ...parts: string[]): string {
  const all = organization === "" ? parts : ["orgs", organization, ...parts];
  return `/${all.map(encodeURIComponent).join("/")}`;
}

/** Where a change that waits for another person is shown. */
export function changeAddress(organization: string, workspace: string, number: number): string {
  return inOrganization(organization, "changes", workspace, String(number));
}

/** Where the console is, with what the control plane says of it. */
export type Here = {
  me: Me;
  all: Status;
  organization: string;
  /** Absent outside of a workspace. */
  workspace: Workspace | undefined;
  /** The caller's role in the organization; "" for none. */
  role: string;
};

export const HereContext = createContext<Here | null>(null);

/** Where one is; only inside of the frame. */
export function useHere(): Here {
  const here = useContext(HereContext);
  if (!here) throw new Error("the page is not in the frame");
  return here;
}

/** The workspace that the page is about; only on pages of one. */
export function useWorkspace(): Workspace & { path: (...parts: string[]) => string } {
  const { workspace, organization } = useHere();
  if (!workspace) throw new Error("the page is not in a workspace");
  return { ...workspace, path: (...parts) => inOrganization(organization, "workspaces", workspace.name, ...parts) };
}
