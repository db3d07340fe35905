import { useMutation } from "@tanstack/react-query";
import { createPasswordLink, type Member, resetAuthenticator } from "../../api/tenants";
import { Button } from "../../parts/button";
import { Command } from "../../parts/command";
import { Notice } from "../../parts/notice";
import { When } from "../../parts/when";
import { Trouble } from "../trouble";

/** What helps a person who cannot sign in: a link for a new password, and no authenticator any more. */
export function AccountHelp({ member: m }: { member: Member }) {
  const link = useMutation({ mutationFn: () => createPasswordLink(m.id) });
  const codes = useMutation({ mutationFn: () => resetAuthenticator(m.id) });
  return (
    <section aria-label="If they cannot sign in" className="space-y-3 border-t border-line pt-4">
      <p className="font-medium">If they cannot sign in</p>
      {link.data ? (
        <>
          <Notice tone="warn" title="This is shown once. Send it to them on a safe way.">
            <p>
              Good once, until <When at={link.data.expiresAt} whole />.
            </p>
          </Notice>
          <Command text={`${location.origin}/password/reset#${link.data.token}`} name="the link for a new password" />
        </>
      ) : (
        <div className="flex flex-wrap gap-2">
          <Button onClick={() => link.mutate()} disabled={link.isPending}>
            Make a link for a new password
          </Button>
          <Button onClick={() => codes.mutate()} disabled={codes.isPending || codes.isSuccess}>
            Take their authenticator away
          </Button>
        </div>
      )}
      {link.error ? <Trouble error={link.error} /> : null}
      {codes.error ? <Trouble error={codes.error} /> : null}
      {codes.isSuccess ? <p role="status">The password alone signs them in. Their sessions ended.</p> : null}
    </section>
  );
}
