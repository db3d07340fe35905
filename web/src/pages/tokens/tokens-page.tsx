import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { createToken, revokeToken, type Token, tokens } from "../../api/tenants";
import { useHere } from "../../frame/place";
import { useWorkspaces } from "../../frame/workspaces";
import { Button } from "../../parts/button";
import { Command } from "../../parts/command";
import { Dialog } from "../../parts/dialog";
import { Empty } from "../../parts/empty";
import { Icon } from "../../parts/icon";
import { Input, Select } from "../../parts/input";
import { Notice } from "../../parts/notice";
import { Page } from "../../parts/page";
import { Table } from "../../parts/table";
import { When } from "../../parts/when";
import { keys } from "../../queries";
import { Loaded } from "../loaded";
import { roleHint, roles } from "../members/roles";
import { Trouble } from "../trouble";

/** The API tokens of the organization. */
export function TokensPage() {
  const { organization, me } = useHere();
  const all = useQuery({ queryKey: keys.tokens(), queryFn: ({ signal }) => tokens(signal) });
  const [making, setMaking] = useState(false);
  const [revoking, setRevoking] = useState<Token | null>(null);
  const add = (
    <Button look="strong" onClick={() => setMaking(true)}>
      <Icon name="plus" />
      New token
    </Button>
  );
  return (
    <Page
      title="Tokens"
      of={organization || me.organizations?.[0]?.organization || "Organization"}
      hint="What programs sign in with: the command line, CI, Terraform."
      actions={add}
    >
      <Loaded query={all} what="the tokens">
        {(list) => (
          <Table
            label="Tokens"
            rows={list}
            keyOf={(t) => t.id}
            text={(t) => `${t.name} ${t.role ?? ""} ${t.owner ?? ""}`}
            empty={
              <Empty title="No token yet.">
                <p>Make one for each program, with the role that it needs and no more.</p>
                {add}
              </Empty>
            }
            columns={[
              {
                title: "Name",
                by: (t) => t.name.toLowerCase(),
                cell: (t) => <span className="font-medium break-all">{t.name}</span>,
              },
              {
                title: "May",
                cell: (t) => (
                  <span className="text-soft">
                    {t.role || (t.owner ? `what ${t.owner} may` : "–")}
                    {t.workspace ? ` in ${t.workspace}` : ""}
                    {t.scopes && t.scopes.length > 0 ? `, only ${t.scopes.join(", ")}` : ""}
                  </span>
                ),
              },
              {
                title: "Last used",
                wide: true,
                by: (t) => t.lastUsedAt ?? "",
                cell: (t) => (t.lastUsedAt ? <When at={t.lastUsedAt} /> : "Never"),
              },
              {
                title: "Good until",
                wide: true,
                by: (t) => t.expiresAt ?? "9",
                cell: (t) => (t.expiresAt ? <When at={t.expiresAt} whole /> : "Revoked"),
              },
              { title: "Made", wide: true, by: (t) => t.createdAt, cell: (t) => <When at={t.createdAt} /> },
              {
                title: "",
                right: true,
                cell: (t) => (
                  <Button onClick={() => setRevoking(t)}>
                    Revoke…<span className="sr-only"> {t.name}</span>
                  </Button>
                ),
              },
            ]}
          />
        )}
      </Loaded>
      {making ? <Making onClose={() => setMaking(false)} /> : null}
      {revoking ? <Revoking token={revoking} onClose={() => setRevoking(null)} /> : null}
    </Page>
  );
}

const lifetimes = [
  { value: "30", title: "30 days" },
  { value: "90", title: "90 days" },
  { value: "365", title: "A year" },
  { value: "", title: "Until it is revoked" },
];
const day = 86_400_000; // ms

function Making({ onClose }: { onClose: () => void }) {
  const all = useWorkspaces();
  const queries = useQueryClient();
  const [name, setName] = useState("");
  const [role, setRole] = useState("editor");
  const [workspace, setWorkspace] = useState("");
  const [days, setDays] = useState("90");
  const make = useMutation({
    mutationFn: () =>
      createToken({
        name: name.trim(),
        role,
        ...(workspace ? { workspace } : {}),
        ...(days ? { expiresAt: new Date(Date.now() + Number(days) * day).toISOString() } : {}),
      }),
    onSuccess: () => queries.invalidateQueries({ queryKey: keys.tokens() }),
  });
  if (make.data)
    return (
      <Dialog title={`Token ${make.data.name}`} onClose={onClose}>
        <Notice tone="warn" title="Copy it now: it is shown this once." />
        <Command text={make.data.token} name={`token ${make.data.name}`} />
        <p className="text-soft">With the command line:</p>
        <Command
          text={`export WEIR_CONTROL=${location.origin} WEIR_TOKEN=${make.data.token}\nweir status`}
          shown={`export WEIR_CONTROL=${location.origin} WEIR_TOKEN=…\nweir status`}
          name="lines that use it"
        />
        <Button onClick={onClose}>Done</Button>
      </Dialog>
    );
  return (
    <Dialog title="New token" onClose={onClose}>
      <form
        className="space-y-4"
        onSubmit={(e) => {
          e.preventDefault();
          make.mutate();
        }}
      >
        <Input label="Name" hint="Which program uses it." value={name} onChange={(e) => setName(e.target.value)} />
        <Select label="Role" value={role} values={roles} hint={roleHint(role)} onChange={setRole} />
        <Select
          label="Where"
          value={workspace}
          values={[
            { value: "", title: "The whole organization" },
            ...(all.data ?? []).map((w) => ({ value: w.name, title: `Only workspace ${w.name}` })),
          ]}
          onChange={setWorkspace}
        />
        <Select label="Good for" value={days} values={lifetimes} onChange={setDays} />
        {make.error ? <Trouble error={make.error} /> : null}
        <div className="flex gap-2">
          <Button look="strong" type="submit" disabled={make.isPending || name.trim() === ""}>
            Make the token
          </Button>
          <Button onClick={onClose}>Cancel</Button>
        </div>
      </form>
    </Dialog>
  );
}

function Revoking({ token, onClose }: { token: Token; onClose: () => void }) {
  const queries = useQueryClient();
  const revoke = useMutation({
    mutationFn: () => revokeToken(token.id),
    onSuccess: async () => {
      await queries.invalidateQueries({ queryKey: keys.tokens() });
      onClose();
    },
  });
  return (
    <Dialog title={`Revoke ${token.name}`} onClose={onClose}>
      <p>
        Whatever uses it is refused from this moment.{" "}
        {token.lastUsedAt ? (
          <>
            It was used <When at={token.lastUsedAt} />.
          </>
        ) : (
          "It was never used."
        )}
      </p>
      {revoke.error ? <Trouble error={revoke.error} /> : null}
      <div className="flex gap-2">
        <Button look="danger" onClick={() => revoke.mutate()} disabled={revoke.isPending}>
          Revoke for good
        </Button>
        <Button onClick={onClose}>Keep it</Button>
      </div>
    </Dialog>
  );
}
