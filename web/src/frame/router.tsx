import {
  type AnyRoute,
  createBrowserHistory,
  createRootRoute,
  createRoute,
  createRouter,
  lazyRouteComponent,
} from "@tanstack/react-router";
import type { Me } from "../api/client";
import { Renewed } from "../pages/renewed";
import { First } from "./first";
import { Frame } from "./frame";
import { Lost } from "./lost";
import { placeIn } from "./place";

const home = lazyRouteComponent(() => import("../pages/home/home-page"), "HomePage");
const sources = lazyRouteComponent(() => import("../pages/sources/sources-page"), "SourcesPage");
const newSource = lazyRouteComponent(() => import("../pages/sources/new-source-page"), "NewSourcePage");
const source = lazyRouteComponent(() => import("../pages/sources/source-page"), "SourcePage");
const destinations = lazyRouteComponent(() => import("../pages/destinations/destinations-page"), "DestinationsPage");
const catalogue = lazyRouteComponent(() => import("../pages/destinations/catalogue-page"), "CataloguePage");
const newDestination = lazyRouteComponent(
  () => import("../pages/destinations/new-destination-page"),
  "NewDestinationPage",
);
const destination = lazyRouteComponent(() => import("../pages/destinations/destination-page"), "DestinationPage");
const connections = lazyRouteComponent(() => import("../pages/connections/connections-page"), "ConnectionsPage");
const connection = lazyRouteComponent(() => import("../pages/connections/connection-page"), "ConnectionPage");
const transformations = lazyRouteComponent(
  () => import("../pages/transformations/transformations-page"),
  "TransformationsPage",
);
const events = lazyRouteComponent(() => import("../pages/live/route"), "EventsRoute");
const warehouses = lazyRouteComponent(() => import("../pages/warehouses/route"), "WarehousesRoute");
const models = lazyRouteComponent(() => import("../pages/models/models-page"), "ModelsPage");
const model = lazyRouteComponent(() => import("../pages/models/model-page"), "ModelPage");
const syncs = lazyRouteComponent(() => import("../pages/syncs/syncs-page"), "SyncsPage");
const sync = lazyRouteComponent(() => import("../pages/syncs/sync-page"), "SyncPage");
const customers = lazyRouteComponent(() => import("../pages/customers/customers-page"), "CustomersPage");
const features = lazyRouteComponent(() => import("../pages/features/features-page"), "FeaturesPage");
const feature = lazyRouteComponent(() => import("../pages/features/feature-page"), "FeaturePage");
const scores = lazyRouteComponent(() => import("../pages/scores/scores-page"), "ScoresPage");
const score = lazyRouteComponent(() => import("../pages/scores/score-page"), "ScorePage");
const audiences = lazyRouteComponent(() => import("../pages/audiences/audiences-page"), "AudiencesPage");
const audience = lazyRouteComponent(() => import("../pages/audiences/audience-page"), "AudiencePage");
const identity = lazyRouteComponent(() => import("../pages/identity/identity-page"), "IdentityPage");
const input = lazyRouteComponent(() => import("../pages/inputs/input-page"), "InputPage");
const person = lazyRouteComponent(() => import("../pages/person/person-page"), "PersonPage");
const review = lazyRouteComponent(() => import("../pages/review/review-page"), "ReviewPage");
const past = lazyRouteComponent(() => import("../pages/history/history-page"), "HistoryPage");
const revision = lazyRouteComponent(() => import("../pages/history/revision-page"), "RevisionPage");
const settings = lazyRouteComponent(() => import("../pages/settings/settings-page"), "SettingsPage");
const newWorkspace = lazyRouteComponent(() => import("../pages/new-workspace/new-workspace-page"), "NewWorkspacePage");
const members = lazyRouteComponent(() => import("../pages/members/members-page"), "MembersPage");
const tokens = lazyRouteComponent(() => import("../pages/tokens/tokens-page"), "TokensPage");
const changes = lazyRouteComponent(() => import("../pages/changes/changes-page"), "ChangesPage");
const change = lazyRouteComponent(() => import("../pages/changes/change-page"), "ChangePage");
const policies = lazyRouteComponent(() => import("../pages/policies/policies-page"), "PoliciesPage");
const policy = lazyRouteComponent(() => import("../pages/policies/policy-page"), "PolicyPage");
const newPolicy = lazyRouteComponent(() => import("../pages/policies/new-policy-page"), "NewPolicyPage");
const roles = lazyRouteComponent(() => import("../pages/roles/roles-page"), "RolesPage");
const alerts = lazyRouteComponent(() => import("../pages/alerts/alerts-page"), "AlertsPage");
const usage = lazyRouteComponent(() => import("../pages/usage/usage-page"), "UsagePage");
const signIn = lazyRouteComponent(() => import("../pages/sign-in/sign-in-page"), "SignInPage");
const audit = lazyRouteComponent(() => import("../pages/audit/audit-page"), "AuditPage");
const account = lazyRouteComponent(() => import("../pages/account/account-page"), "AccountPage");
const planes = lazyRouteComponent(() => import("../pages/planes/planes-page"), "PlanesPage");

type Lazy = ReturnType<typeof lazyRouteComponent>;

/** The pages of an organization, by their paths below it. */
const ofOrganization: Record<string, Lazy> = {
  "new-workspace": newWorkspace,
  members,
  tokens,
  changes,
  "changes/$workspace/$number": change,
  policies,
  "policies/$name": policy,
  "new-policy": newPolicy,
  roles,
  alerts,
  usage,
  "sign-in": signIn,
  audit,
};

/** The pages of all of the installation. */
const ofInstallation: Record<string, Lazy> = { planes, account };

/** The pages of a workspace, by their paths below it; an exact one stands before one with a parameter. */
const ofWorkspace: Record<string, Lazy> = {
  "": home,
  sources,
  "sources/new": newSource,
  "sources/$name": source,
  destinations,
  "destinations/new": catalogue,
  "destinations/new/$type": newDestination,
  "destinations/$name": destination,
  connections,
  "connections/$source/$destination": connection,
  transformations,
  events,
  live: events,
  warehouses,
  models,
  "models/new": model,
  "models/$name": model,
  syncs,
  "syncs/new": sync,
  "syncs/$name": sync,
  customers,
  "customers/$identifier": person,
  features,
  "features/new": feature,
  "features/$name": feature,
  scores,
  "scores/new": score,
  "scores/$name": score,
  audiences,
  "audiences/new": audience,
  "audiences/$name": audience,
  identity,
  "identity/inputs/new": input,
  "identity/inputs/$name": input,
  review,
  history: past,
  "history/$number": revision,
  settings,
};

/** The pages below a parent: an organization's, and those of its workspaces. */
function pages(parent: AnyRoute): AnyRoute[] {
  const page = (path: string, component: Lazy | typeof First) =>
    createRoute({ getParentRoute: () => parent, path, component });
  return [
    page("/", First),
    ...Object.entries(ofOrganization).map(([path, component]) => page(path, component)),
    ...Object.entries(ofWorkspace).map(([path, component]) =>
      page(path === "" ? "workspaces/$workspace" : `workspaces/$workspace/${path}`, component),
    ),
  ];
}

/** The paths of all pages of who is in one organization, with the parameters in them. */
export const paths: readonly string[] = [
  ...Object.keys(ofOrganization).map((p) => `/${p}`),
  ...Object.keys(ofWorkspace).map((p) => `/workspaces/$workspace${p === "" ? "" : `/${p}`}`),
  ...Object.keys(ofInstallation).map((p) => `/${p}`),
];

/** Loads the code of the page at a path before it is drawn; what fails is loaded again then. */
export async function preload(path: string): Promise<void> {
  const { organization, workspace, page } = placeIn(path);
  const all =
    workspace !== undefined ? ofWorkspace : { ...(organization === "" ? ofInstallation : {}), ...ofOrganization };
  const parts = page.split("/");
  const fits = (pattern: string) => {
    const wanted = pattern.split("/");
    return wanted.length === parts.length && wanted.every((w, i) => w.startsWith("$") || w === parts[i]);
  };
  const found = Object.entries(all).find(([pattern]) => fits(pattern));
  await found?.[1].preload?.()?.catch(() => undefined);
}

/** The console's addresses, for one person. */
export function newRouter(me: Me) {
  const root = createRootRoute({ component: () => <Frame me={me} />, notFoundComponent: Lost });
  const alone = createRoute({ getParentRoute: () => root, id: "alone" });
  const organization = createRoute({ getParentRoute: () => root, path: "orgs/$organization" });
  const routeTree = root.addChildren([
    alone.addChildren(pages(alone)),
    organization.addChildren(pages(organization)),
    createRoute({ getParentRoute: () => root, path: "planes", component: planes }),
    createRoute({ getParentRoute: () => root, path: "account", component: account }),
  ]);
  return createRouter({
    routeTree,
    history: createBrowserHistory(),
    parseSearch: (text) => Object.fromEntries(new URLSearchParams(text)), // texts stay texts: pages read them
    stringifySearch: (search) => {
      const text = new URLSearchParams(search as Record<string, string>).toString();
      return text === "" ? "" : `?${text}`;
    },
    scrollRestoration: true,
    defaultNotFoundComponent: Lost,
    defaultErrorComponent: Renewed,
  });
}
