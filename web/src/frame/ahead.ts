import type { QueryClient } from "@tanstack/react-query";
import { chooseOrganization } from "../api/organization";
import { configOf } from "../draft/config-of";
import { flowOf } from "../pages/flow";
import { remembered, statusAt } from "./known";
import { type Place, placeIn } from "./place";

const withFlow = ["", "connections", "sources", "destinations"];

/** The place that an address leads to: the first page of an organization is that of the workspace that one was in last. */
export function leadsTo(path: string): Place {
  const place = placeIn(path);
  if (place.workspace !== undefined || place.page !== "") return place;
  return { ...place, workspace: remembered(place.organization) };
}

/** Asks at once for what the first page will ask for, one after the other as it is drawn: code and data. */
export function askAhead(queries: QueryClient, path: string): void {
  const place = leadsTo(path);
  chooseOrganization(place.organization);
  const all = queries.fetchQuery(statusAt(place, queries));
  if (place.page === "") import("../pages/home/home-page").catch(() => undefined); // asked for again when it is drawn
  const { workspace } = place;
  if (workspace !== undefined) askOf(queries, workspace, place.page);
  all.then(
    ({ workspaces }) => {
      const first = workspaces[0]?.name;
      if (place.page === "" && workspace === undefined && first !== undefined) askOf(queries, first, "");
    },
    () => undefined, // the frame says it
  );
}

function askOf(queries: QueryClient, workspace: string, page: string): void {
  void queries.prefetchQuery(configOf(workspace));
  if (withFlow.includes(page.split("/")[0] ?? "")) void queries.prefetchQuery(flowOf(workspace));
}
