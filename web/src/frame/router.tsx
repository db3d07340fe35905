import {
  type AnyRoute,
  createBrowserHistory,
  createRootRoute,
  createRoute,
  createRouter,
  lazyRouteComponent,
} from "@tanstack/react-router";
import type { Me } from "../api/client";
import { First } from "./first";
import { Frame } from "./frame";
import { Lost } from "./lost";

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

/** The pages of an organization and of its workspaces below a parent. */
function pages(parent: AnyRoute): AnyRoute[] {
  const page = (path: string, component: ReturnType<typeof lazyRouteComponent> | typeof First) =>
    createRoute({ getParentRoute: () => parent, path, component });
  const of = (path: string, component: ReturnType<typeof lazyRouteComponent>) =>
    page(`workspaces/$workspace/${path}`, component);
  return [
    page("/", First),
    page("new-workspace", newWorkspace),
    page("members", members),
    page("tokens", tokens),
    page("changes", changes),
    page("changes/$workspace/$number", change),
    page("policies", policies),
    page("policies/$name", policy),
    page("new-policy", newPolicy),
    page("roles", roles),
    page("alerts", alerts),
    page("usage", usage),
    page("sign-in", signIn),
    page("audit", audit),
    page("workspaces/$workspace", home),
    of("sources", sources),
    of("sources/new", newSource),
    of("sources/$name", source),
    of("destinations", destinations),
    of("destinations/new", catalogue),
    of("destinations/new/$type", newDestination),
    of("destinations/$name", destination),
    of("connections", connections),
    of("connections/$source/$destination", connection),
    of("transformations", transformations),
    of("events", events),
    of("live", events),
    of("warehouses", warehouses),
    of("models", models),
    of("models/new", model),
    of("models/$name", model),
    of("syncs", syncs),
    of("syncs/new", sync),
    of("syncs/$name", sync),
    of("customers", customers),
    of("customers/$identifier", person),
    of("features", features),
    of("features/new", feature),
    of("features/$name", feature),
    of("scores", scores),
    of("scores/new", score),
    of("scores/$name", score),
    of("audiences", audiences),
    of("audiences/new", audience),
    of("audiences/$name", audience),
    of("identity", identity),
    of("review", review),
    of("history", past),
    of("history/$number", revision),
    of("settings", settings),
  ];
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
  });
}
