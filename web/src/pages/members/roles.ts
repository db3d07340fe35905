import { useQuery } from "@tanstack/react-query";
import { roles as granted } from "../../api/roles";
import { keys } from "../../queries";

const known = [
  { value: "owner", title: "Owner", hint: "May do everything, and give every role." },
  { value: "admin", title: "Admin", hint: "May do everything but change owners." },
  { value: "editor", title: "Editor", hint: "Changes and publishes configuration, and handles events that failed." },
  { value: "marketer", title: "Marketer", hint: "Works with audiences and what they are sent to." },
  { value: "auditor", title: "Auditor", hint: "Reads configuration and the audit log, and no events." },
  { value: "viewer", title: "Viewer", hint: "Reads configuration, and no events." },
];

export const roles = known.map(({ value, title }) => ({ value, title }));

/** What a role may do, in a sentence. */
export function roleHint(role: string): string {
  return known.find((r) => r.value === role)?.hint ?? "A role that the organization made.";
}

/** The roles that can be given: those that every organization has, and its own. */
export function useRoleChoices(): { value: string; title: string }[] {
  const all = useQuery({ queryKey: keys.roles(), queryFn: ({ signal }) => granted(signal) });
  const own = (all.data ?? []).filter((r) => !r.fixed).map((r) => ({ value: r.name, title: r.name }));
  return [...roles, ...own];
}
