import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { type Role, removeRole, roles } from "../../api/roles";
import { useHere } from "../../frame/place";
import { Badge } from "../../parts/badge";
import { Button } from "../../parts/button";
import { Dialog } from "../../parts/dialog";
import { Icon } from "../../parts/icon";
import { Page } from "../../parts/page";
import { Card } from "../../parts/section";
import { keys } from "../../queries";
import { Loaded } from "../loaded";
import { roleHint } from "../members/roles";
import { Trouble } from "../trouble";
import { actionWords, groups, isCommon } from "./actions";
import { RoleForm } from "./role-form";

/** What can be granted in the organization, and what each role may do. */
export function RolesPage() {
  const { organization, me, role } = useHere();
  const all = useQuery({ queryKey: keys.roles(), queryFn: ({ signal }) => roles(signal) });
  const [changing, setChanging] = useState<Role | "new" | null>(null);
  const [removing, setRemoving] = useState<Role | null>(null);
  const writes = role === "owner" || role === "admin";
  return (
    <Page
      title="Roles"
      of={organization || me.organizations?.[0]?.organization || "Organization"}
      hint="What members, service accounts and tokens may do. Roles are given on the page of members."
      actions={
        writes ? (
          <Button look="strong" onClick={() => setChanging("new")}>
            <Icon name="plus" />
            New role
          </Button>
        ) : null
      }
    >
      <Loaded query={all} what="the roles">
        {(list) => (
          <Card>
            <ul aria-label="Roles" className="divide-y divide-line">
              {list.map((r) => (
                <li key={r.name} className="px-4 py-3 text-sm">
                  <details>
                    <summary className="cursor-pointer">
                      <span className="font-medium">{r.name}</span>{" "}
                      {r.fixed ? null : <Badge tone="quiet">Of the organization</Badge>}
                      <span className="block pt-0.5 pl-4 text-soft">{roleHint(r.name)}</span>
                    </summary>
                    <Actions role={r} />
                    {writes && !r.fixed ? (
                      <div className="flex gap-2 pt-3 pl-4">
                        <Button onClick={() => setChanging(r)}>
                          Change<span className="sr-only"> {r.name}</span>
                        </Button>
                        <Button onClick={() => setRemoving(r)}>
                          Remove…<span className="sr-only"> {r.name}</span>
                        </Button>
                      </div>
                    ) : null}
                  </details>
                </li>
              ))}
            </ul>
          </Card>
        )}
      </Loaded>
      {changing ? (
        <RoleForm
          role={changing === "new" ? null : changing}
          roles={all.data ?? []}
          onClose={() => setChanging(null)}
        />
      ) : null}
      {removing ? <Removing role={removing} onClose={() => setRemoving(null)} /> : null}
    </Page>
  );
}

/** What a role may do, in words. */
function Actions({ role }: { role: Role }) {
  const known = new Set(groups.flatMap((g) => Object.keys(g.actions)));
  const others = role.actions.filter((a) => !known.has(a) && !isCommon(a));
  const shown = [
    ...groups.map((g) => ({ title: g.title, actions: Object.keys(g.actions).filter((a) => role.actions.includes(a)) })),
    { title: "Other", actions: others },
  ].filter((g) => g.actions.length > 0);
  if (shown.length === 0) return <p className="pt-2 pl-4 text-soft">Nothing but what everybody may.</p>;
  return (
    <div className="grid gap-x-8 gap-y-4 pt-3 pl-4 md:grid-cols-2 xl:grid-cols-4">
      {shown.map((g) => (
        <section key={g.title} aria-label={`${role.name}: ${g.title}`}>
          <p className="font-medium">{g.title}</p>
          <ul className="list-disc pl-4 text-soft">
            {g.actions.map((a) => (
              <li key={a}>{actionWords(a)}</li>
            ))}
          </ul>
        </section>
      ))}
    </div>
  );
}

function Removing({ role, onClose }: { role: Role; onClose: () => void }) {
  const queries = useQueryClient();
  const remove = useMutation({
    mutationFn: () => removeRole(role.name),
    onSuccess: async () => {
      await queries.invalidateQueries({ queryKey: keys.roles() });
      onClose();
    },
  });
  return (
    <Dialog title={`Remove ${role.name}`} onClose={onClose}>
      <p>Only a role that nobody has can be removed.</p>
      {remove.error ? <Trouble error={remove.error} /> : null}
      <div className="flex gap-2">
        <Button look="danger" onClick={() => remove.mutate()} disabled={remove.isPending}>
          Remove for good
        </Button>
        <Button onClick={onClose}>Keep it</Button>
      </div>
    </Dialog>
  );
}
