import type { IconName } from "../parts/icon";

export type Entry = { page: string; title: string; icon: IconName; of: "workspace" | "organization" | "installation" };

/** What the sidebar leads to. */
export const entries: Entry[] = [
  { page: "", title: "Home", icon: "home", of: "workspace" },
  { page: "connections", title: "Connections", icon: "connections", of: "workspace" },
  { page: "sources", title: "Sources", icon: "sources", of: "workspace" },
  { page: "destinations", title: "Destinations", icon: "destinations", of: "workspace" },
  { page: "transformations", title: "Transformations", icon: "code", of: "workspace" },
  { page: "events", title: "Events", icon: "events", of: "workspace" },
  { page: "warehouses", title: "Warehouses", icon: "warehouses", of: "workspace" },
  { page: "models", title: "Models", icon: "table", of: "workspace" },
  { page: "syncs", title: "Syncs", icon: "sync", of: "workspace" },
  { page: "customers", title: "Customers", icon: "user", of: "workspace" },
  { page: "identity", title: "Identity", icon: "shield", of: "workspace" },
  { page: "features", title: "Features", icon: "usage", of: "workspace" },
  { page: "scores", title: "Scores", icon: "gauge", of: "workspace" },
  { page: "audiences", title: "Audiences", icon: "members", of: "workspace" },
  { page: "history", title: "History", icon: "history", of: "workspace" },
  { page: "settings", title: "Settings", icon: "settings", of: "workspace" },
  { page: "alerts", title: "Alerts", icon: "alert", of: "organization" },
  { page: "usage", title: "Usage", icon: "usage", of: "organization" },
  { page: "changes", title: "Changes", icon: "check", of: "organization" },
  { page: "policies", title: "Policies", icon: "policy", of: "organization" },
  { page: "members", title: "Members", icon: "members", of: "organization" },
  { page: "roles", title: "Roles", icon: "roles", of: "organization" },
  { page: "tokens", title: "Tokens", icon: "key", of: "organization" },
  { page: "sign-in", title: "Sign-in", icon: "shield", of: "organization" },
  { page: "audit", title: "Audit log", icon: "audit", of: "organization" },
  { page: "planes", title: "Data planes", icon: "planes", of: "installation" },
];
