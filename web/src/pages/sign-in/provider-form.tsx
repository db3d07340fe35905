import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { roles } from "../../api/roles";
import { type Provider, setProvider } from "../../api/sign-in";
import { Button } from "../../parts/button";
import { Command } from "../../parts/command";
import { Dialog } from "../../parts/dialog";
import { Check, Input, Select } from "../../parts/input";
import { keys } from "../../queries";
import { problemAt } from "../problem-at";
import { Trouble } from "../trouble";

/** What a provider is told, and what Weir is told of it. */
export function ProviderForm({ provider, onClose }: { provider: Provider | null; onClose: () => void }) {
  const queries = useQueryClient();
  const [issuer, setIssuer] = useState(provider?.issuer ?? "");
  const [clientId, setClientId] = useState(provider?.clientId ?? "");
  const [secret, setSecret] = useState("");
  const [isPublic, setPublic] = useState(provider !== null && !provider.hasSecret);
  const [domains, setDomains] = useState(provider?.domains.join(", ") ?? "");
  const [role, setRole] = useState(provider?.role ?? "");
  const [required, setRequired] = useState(provider?.required ?? false);
  const all = useQuery({ queryKey: keys.roles(), queryFn: ({ signal }) => roles(signal) });
  const joining = (all.data ?? []).filter((r) => r.name !== "owner" && r.name !== "operator").map((r) => r.name);
  const keeps = (provider?.hasSecret ?? false) && issuer === provider?.issuer && clientId === provider?.clientId;
  const save = useMutation({
    mutationFn: () =>
      setProvider({
        issuer: issuer.trim(),
        clientId: clientId.trim(),
        ...(isPublic ? { clientSecret: "" } : keeps && secret === "" ? {} : { clientSecret: secret }),
        domains: listed(domains),
        role,
        required,
      }),
    onSuccess: (is) => {
      queries.setQueryData(keys.provider(), is);
      onClose();
    },
  });
  const wrong = (path: string) => problemAt(save.error, path);
  const given = issuer.trim() !== "" && clientId.trim() !== "" && listed(domains).length > 0;
  return (
    <Dialog title="Identity provider" onClose={onClose}>
      <p className="text-soft">Make a client for web sign-ins at the provider, and let it come back to this address:</p>
      <Command text={`${location.origin}/api/v1/login/oidc/callback`} name="the redirect address" />
      <form
        className="space-y-4"
        onSubmit={(e) => {
          e.preventDefault();
          save.mutate();
        }}
      >
        <Input
          label="Issuer"
          type="url"
          placeholder="https://login.example.com"
          hint="As the provider names itself. It has to answer now."
          value={issuer}
          onChange={(e) => setIssuer(e.target.value)}
          {...wrong("issuer")}
        />
        <Input
          label="Client ID"
          value={clientId}
          onChange={(e) => setClientId(e.target.value)}
          {...wrong("clientId")}
        />
        <Check label="The client has no secret (a public client)" checked={isPublic} onChange={setPublic} />
        {isPublic ? null : (
          <Input
            label="Client secret"
            type="password"
            optional={keeps}
            hint={keeps ? "Empty: the one that is kept stays." : "It is kept encrypted, and never shown."}
            value={secret}
            onChange={(e) => setSecret(e.target.value)}
            {...wrong("clientSecret")}
          />
        )}
        <Input
          label="Domains"
          placeholder="example.com, example.org"
          hint="The ends of e-mail addresses that may sign in, with commas between."
          value={domains}
          onChange={(e) => setDomains(e.target.value)}
          {...wrong("domains")}
        />
        <Select
          label="Who was not invited"
          value={role}
          values={[
            { value: "", title: "Does not get in" },
            ...[...new Set([...joining, ...(role ? [role] : [])])].map((r) => ({ value: r, title: `Becomes ${r}` })),
          ]}
          onChange={setRole}
          {...wrong("role")}
        />
        <Check
          label="Required"
          hint="Roles count only after a sign-in at the provider. Owners may sign in by password, so that nobody is shut out."
          checked={required}
          onChange={setRequired}
        />
        {provider && (issuer.trim() !== provider.issuer || clientId.trim() !== provider.clientId) ? (
          <p className="text-sm text-warn">Whoever signed in at the provider that was set before is signed out.</p>
        ) : null}
        {save.error ? <Trouble error={save.error} /> : null}
        <div className="flex gap-2">
          <Button
            look="strong"
            type="submit"
            disabled={save.isPending || !given || (!isPublic && !keeps && secret === "")}
          >
            {save.isPending ? "Asking the provider…" : "Save"}
          </Button>
          <Button onClick={onClose}>Cancel</Button>
        </div>
      </form>
      <Command
        text={`weir org oidc set --issuer ${issuer || "URL"} --client-id ${clientId || "ID"} ${listed(domains)
          .map((d) => `--domain ${d}`)
          .join(" ")}${role ? ` --role ${role}` : ""}${required ? " --required" : ""}${isPublic ? "" : " --secret"}`}
        name="the command that does the same"
      />
    </Dialog>
  );
}

function listed(text: string): string[] {
  return text
    .split(/[\s,;]+/)
    .map((d) => d.trim().replace(/^@/, ""))
    .filter((d) => d !== "");
}
