/** What can be allowed to a role, in words, by the part of the console that it is about. What every role has is left out. */
export const groups: { title: string; actions: Record<string, string> }[] = [
  {
    title: "Configuration",
    actions: {
      "workspace:read": "See sources, destinations and everything else that is configured",
      "workspace:diff": "See what a change would do",
      "workspace:write": "Change and publish it, and restore former revisions",
      "workspace:delete": "Remove a workspace",
      "change:approve": "Approve or reject changes of others",
      "policy:read": "Read policies",
      "policy:write": "Write policies",
    },
  },
  {
    title: "Events",
    actions: {
      "capability:ledger:read": "See how many events come and go",
      "capability:live:read": "See live events",
      "capability:preview": "See what would become of an event",
      "capability:quarantine:read": "See events that broke a rule",
      "capability:quarantine:replay": "Replay them",
      "capability:quarantine:discard": "Discard them",
      "capability:parked:read": "See deliveries that wait",
      "capability:dead:read": "See deliveries that failed for good",
      "capability:dead:redrive": "Send them again",
      "capability:dead:discard": "Discard them",
      "capability:jobs:read": "See jobs on many events",
      "capability:jobs:stop": "Stop such jobs",
      "capability:destination:test": "Test connections of destinations",
    },
  },
  {
    title: "Warehouses and customers",
    actions: {
      "capability:loads:read": "See loads into warehouses",
      "capability:loads:start": "Start a load",
      "capability:query": "Ask warehouses in SQL",
      "capability:pulls:read": "See what is pulled",
      "capability:pulls:change": "Start, stop and reset what is pulled",
      "capability:syncs:read": "See syncs",
      "capability:syncs:run": "Run syncs",
      "capability:profiles:read": "See how profiles stand and how large audiences are",
      "capability:profiles:lookup": "Look up customers, with previews of features",
      "capability:profiles:run": "Compute profiles",
      "capability:profiles:decide": "Decide who is the same person",
    },
  },
  {
    title: "Organization",
    actions: {
      "member:read": "See members and invitations",
      "member:write": "Invite members and give roles",
      "token:read": "See tokens",
      "token:write": "Make and revoke tokens",
      "role:write": "Make roles",
      "owner:write": "Make owners, and say how people sign in",
      "audit:read": "Read the audit log",
    },
  },
];

/** An action in words; one that is not known as it is. */
export function actionWords(action: string): string {
  for (const g of groups) if (g.actions[action]) return g.actions[action];
  return action;
}

/** Whether every role has an action, which need not be told. */
export function isCommon(action: string): boolean {
  return ["self:read", "self:write", "catalog:read", "plane:read", "workspace:list", "status:read"].includes(action);
}
