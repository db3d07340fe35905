import { useMutation, useQueryClient } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { useState } from "react";
import { type Provider, removeProvider } from "../../api/sign-in";
import { Button } from "../../parts/button";
import { Command } from "../../parts/command";
import { Dialog } from "../../parts/dialog";
import { Empty } from "../../parts/empty";
import { Card } from "../../parts/section";
import { keys } from "../../queries";
import { Trouble } from "../trouble";
import { ProviderForm } from "./provider-form";
import { Trying } from "./trying";

type Props = { provider: Provider | null; organization: string; owner: boolean };

/** The organization's identity provider, with what there is to do about it. */
export function ProviderCard({ provider: p, organization, owner }: Props) {
  const [open, setOpen] = useState<"form" | "try" | "remove" | null>(null);
  const close = () => setOpen(null);
  return (
    <>
      {p ? (
        <Card>
          <dl className="grid gap-x-6 gap-y-2 px-4 py-3 text-sm sm:grid-cols-[12rem_1fr]">
            <Row name="Issuer">
              <span className="break-all">{p.issuer}</span>
            </Row>
            <Row name="Client">
              <span className="break-all">{p.clientId}</span>{" "}
              <span className="text-soft">{p.hasSecret ? "with a secret" : "without a secret (public)"}</span>
            </Row>
            <Row name="E-mail addresses of">{p.domains.join(", ")}</Row>
            <Row name="Who was not invited">{p.role ? `becomes ${p.role}` : "does not get in"}</Row>
            <Row name="Other ways to sign in">
              {p.required ? "do not count, but an owner’s password" : "count as well"}
            </Row>
            <Row name="Redirect addresses">
              {p.redirectUris.length === 0 ? (
                <span className="text-warn">
                  The control plane does not know the address of its console: start it with --origin.
                </span>
              ) : (
                <ul>
                  {p.redirectUris.map((u) => (
                    <li key={u} className="font-mono text-[13px] break-all">
                      {u}
                    </li>
                  ))}
                </ul>
              )}
            </Row>
          </dl>
        </Card>
      ) : (
        <Empty title="People sign in with a password.">
          <p>
            With an OpenID Connect provider, such as Okta, Entra ID, Google Workspace or Keycloak, they sign in with the
            account that they have, and lose access with it.
          </p>
        </Empty>
      )}
      <div className="flex flex-wrap gap-2">
        {p ? <Button onClick={() => setOpen("try")}>Try the sign-in…</Button> : null}
        {owner ? (
          <Button look={p ? "plain" : "strong"} onClick={() => setOpen("form")}>
            {p ? "Change…" : "Set up a provider"}
          </Button>
        ) : null}
        {owner && p ? <Button onClick={() => setOpen("remove")}>Remove…</Button> : null}
      </div>
      {open === "form" ? <ProviderForm provider={p} onClose={close} /> : null}
      {open === "try" ? <Trying organization={organization} onClose={close} /> : null}
      {open === "remove" ? <Removing onClose={close} /> : null}
    </>
  );
}

function Row({ name, children }: { name: string; children: ReactNode }) {
  return (
    <>
      <dt className="text-soft">{name}</dt>
      <dd className="min-w-0">{children}</dd>
    </>
  );
}

function Removing({ onClose }: { onClose: () => void }) {
  const queries = useQueryClient();
  const remove = useMutation({
    mutationFn: removeProvider,
    onSuccess: async () => {
      await queries.invalidateQueries({ queryKey: keys.provider() });
      onClose();
    },
  });
  return (
    <Dialog title="Remove the identity provider" onClose={onClose}>
      <p>Whoever signed in there is signed out at once. Members who have a password sign in with that.</p>
      {remove.error ? <Trouble error={remove.error} /> : null}
      <div className="flex gap-2">
        <Button look="danger" onClick={() => remove.mutate()} disabled={remove.isPending}>
          Remove it
        </Button>
        <Button onClick={onClose}>Keep it</Button>
      </div>
      <Command text="weir org oidc remove" name="the command that does the same" />
    </Dialog>
  );
}
