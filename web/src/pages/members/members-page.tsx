import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import {
  inviteMember,
  type Member,
  memberInvitations,
  members,
  removeMember,
  setRole,
  takeBack,
} from "../../api/tenants";
import { useHere } from "../../frame/place";
import { useWorkspaces } from "../../frame/workspaces";
import { actorText } from "../../parts/actor";
import { Badge } from "../../parts/badge";
import { Button } from "../../parts/button";
import { Command } from "../../parts/command";
import { Dialog } from "../../parts/dialog";
import { Empty } from "../../parts/empty";
import { Icon } from "../../parts/icon";
import { Input, Select } from "../../parts/input";
import { Notice } from "../../parts/notice";
import { Page } from "../../parts/page";
import { Card, Section } from "../../parts/section";
import { Table } from "../../parts/table";
import { When } from "../../parts/when";
import { keys } from "../../queries";
import { Loaded } from "../loaded";
import { Trouble } from "../trouble";
import { AccountHelp } from "./account-help";
import { roleHint, useRoleChoices } from "./roles";

/** Who may do what in the organization, and who was invited. */
export function MembersPage() {
  const { organization, me } = useHere();
  const all = useQuery({ queryKey: keys.members(), queryFn: ({ signal }) => members(signal) });
  const [inviting, setInviting] = useState(false);
  const [changing, setChanging] = useState<Member | null>(null);
  return (
    <Page
      title="Members"
      of={organization || me.organizations?.[0]?.organization || "Organization"}
      hint="Who has which role in the organization, people and service accounts."
      actions={
        <Button look="strong" onClick={() => setInviting(true)}>
          <Icon name="plus" />
          Invite
        </Button>
      }
    >
      <Loaded query={all} what="the members">
        {(list) => (
          <Table
            label="Members"
            rows={list}
            keyOf={(m) => m.id}
            text={(m) => `${m.name} ${m.roles.map((r) => r.role).join(" ")}`}
            empty={
              <Empty title="Nobody has a role here yet.">
                <p>Invite somebody by e-mail address.</p>
              </Empty>
            }
            columns={[
              {
                title: "Name",
                by: (m) => m.name.toLowerCase(),
                cell: (m) => (
                  <span className="flex flex-wrap items-center gap-2">
                    <span className="font-medium break-all">{m.name}</span>
                    {m.kind === "service" ? <Badge tone="quiet">Service account</Badge> : null}
                    {m.name === me.email ? <span className="text-soft">you</span> : null}
                  </span>
                ),
              },
              {
                title: "Roles",
                cell: (m) => (
                  <span className="text-soft">
                    {m.roles
                      .map(
                        (r) => `${r.role}${r.workspace ? ` in ${r.workspace}` : ""}${r.object ? " on one object" : ""}`,
                      )
                      .join(", ") || "–"}
                  </span>
                ),
              },
              { title: "Since", wide: true, by: (m) => m.createdAt, cell: (m) => <When at={m.createdAt} /> },
              {
                title: "",
                right: true,
                cell: (m) => (
                  <Button onClick={() => setChanging(m)}>
                    Change<span className="sr-only"> {m.name}</span>
                  </Button>
                ),
              },
            ]}
          />
        )}
      </Loaded>
      <Invitations />
      {inviting ? <Inviting onClose={() => setInviting(false)} /> : null}
      {changing ? <Changing member={changing} onClose={() => setChanging(null)} /> : null}
    </Page>
  );
}

function Invitations() {
  const queries = useQueryClient();
  const all = useQuery({ queryKey: keys.invitations(), queryFn: ({ signal }) => memberInvitations(signal) });
  const back = useMutation({
    mutationFn: takeBack,
    onSettled: () => queries.invalidateQueries({ queryKey: keys.invitations() }),
  });
  if (!all.data || all.data.length === 0) return null;
  return (
    <Section title="Invitations" hint="that nobody used yet">
      {back.error ? <Trouble error={back.error} /> : null}
      <Card>
        <ul className="divide-y divide-line text-sm">
          {all.data.map((i) => (
            <li key={i.id} className="flex flex-wrap items-center gap-x-4 gap-y-1 px-4 py-2.5">
              <span className="font-medium break-all">{i.email}</span>
              <span className="text-soft">
                {i.role}
                {i.workspace ? ` in ${i.workspace}` : ""}, by {actorText(i.createdBy)}, good until{" "}
                <When at={i.expiresAt} whole />
              </span>
              <span className="ml-auto">
                <Button onClick={() => back.mutate(i.id)} disabled={back.isPending}>
                  Take back<span className="sr-only"> the invitation of {i.email}</span>
                </Button>
              </span>
            </li>
          ))}
        </ul>
      </Card>
    </Section>
  );
}

function WorkspaceChoice({ value, onChange }: { value: string; onChange: (v: string) => void }) {
  const all = useWorkspaces();
  return (
    <Select
      label="Where"
      value={value}
      values={[
        { value: "", title: "The whole organization" },
        ...(all.data ?? []).map((w) => ({ value: w.name, title: `Only workspace ${w.name}` })),
      ]}
      onChange={onChange}
    />
  );
}

function Inviting({ onClose }: { onClose: () => void }) {
  const roles = useRoleChoices();
  const queries = useQueryClient();
  const [email, setEmail] = useState("");
  const [role, setTheRole] = useState("editor");
  const [workspace, setWorkspace] = useState("");
  const invite = useMutation({
    mutationFn: () => inviteMember(email.trim(), role, workspace),
    onSuccess: () => queries.invalidateQueries({ queryKey: keys.invitations() }),
  });
  if (invite.data)
    return (
      <Dialog title={`${invite.data.email} is invited`} onClose={onClose}>
        <Notice tone="warn" title="This is shown once. Send it to them on a safe way.">
          <p>
            Good once, until <When at={invite.data.expiresAt} whole />.
          </p>
        </Notice>
        <Command
          text={`${location.origin}/invitations/accept#${invite.data.token}`}
          name="the link of the invitation"
        />
        <p className="text-soft">In a terminal the same is done with:</p>
        <Command
          text={`weir member accept ${invite.data.token} --control ${location.origin}`}
          name="the command that accepts it"
        />
        <Button onClick={onClose}>Done</Button>
      </Dialog>
    );
  return (
    <Dialog title="Invite somebody" onClose={onClose}>
      <form
        className="space-y-4"
        onSubmit={(e) => {
          e.preventDefault();
          invite.mutate();
        }}
      >
        <Input label="E-mail address" type="email" required value={email} onChange={(e) => setEmail(e.target.value)} />
        <Select label="Role" value={role} values={roles} hint={roleHint(role)} onChange={setTheRole} />
        <WorkspaceChoice value={workspace} onChange={setWorkspace} />
        {invite.error ? <Trouble error={invite.error} /> : null}
        <div className="flex gap-2">
          <Button look="strong" type="submit" disabled={invite.isPending || !email.includes("@")}>
            Make the invitation
          </Button>
          <Button onClick={onClose}>Cancel</Button>
        </div>
      </form>
    </Dialog>
  );
}

function Changing({ member: m, onClose }: { member: Member; onClose: () => void }) {
  const roles = useRoleChoices();
  const queries = useQueryClient();
  const first = m.roles[0];
  const [role, setTheRole] = useState(first?.role ?? "viewer");
  const [workspace, setWorkspace] = useState(first?.workspace ?? "");
  const [typed, setTyped] = useState("");
  const done = {
    onSuccess: async () => {
      await queries.invalidateQueries({ queryKey: keys.members() });
      onClose();
    },
  };
  const change = useMutation({ mutationFn: () => setRole(m.id, role, workspace), ...done });
  const remove = useMutation({ mutationFn: () => removeMember(m.id, ""), ...done });
  return (
    <Dialog title={m.name} onClose={onClose}>
      <form
        className="space-y-4"
        onSubmit={(e) => {
          e.preventDefault();
          change.mutate();
        }}
      >
        <Select
          label="Role"
          value={role}
          values={roles.some((r) => r.value === role) ? roles : [{ value: role, title: role }, ...roles]}
          hint={roleHint(role)}
          onChange={setTheRole}
        />
        <WorkspaceChoice value={workspace} onChange={setWorkspace} />
        {change.error ? <Trouble error={change.error} /> : null}
        <Button look="strong" type="submit" disabled={change.isPending}>
          Give the role
        </Button>
      </form>
      {m.kind === "person" ? <AccountHelp member={m} /> : null}
      <form
        className="space-y-3 border-t border-line pt-4"
        onSubmit={(e) => {
          e.preventDefault();
          if (typed === m.name) remove.mutate();
        }}
      >
        <Input
          label={`To remove them, type ${m.name}`}
          hint={m.kind === "service" ? "Its tokens go with it." : "All their roles in the organization are taken."}
          value={typed}
          onChange={(e) => setTyped(e.target.value)}
        />
        {remove.error ? <Trouble error={remove.error} /> : null}
        <Button look="danger" type="submit" disabled={typed !== m.name || remove.isPending}>
          Remove
        </Button>
      </form>
    </Dialog>
  );
}
