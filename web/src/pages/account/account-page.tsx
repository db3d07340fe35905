import { useQuery } from "@tanstack/react-query";
import { authenticator, sessions } from "../../api/account";
import { inOrganization, useHere } from "../../frame/place";
import { Link } from "../../parts/link";
import { Notice } from "../../parts/notice";
import { Page } from "../../parts/page";
import { Card, Section } from "../../parts/section";
import { keys } from "../../queries";
import { Loaded } from "../loaded";
import { OneTimeCodes } from "./one-time-codes";
import { OwnTokens } from "./own-tokens";
import { PasswordChange } from "./password-change";
import { SessionList } from "./session-list";

/** The account of who is signed in: what proves it, and where it is in use. */
export function AccountPage() {
  const { me } = useHere();
  const codes = useQuery({ queryKey: keys.authenticator, queryFn: ({ signal }) => authenticator(signal) });
  const all = useQuery({ queryKey: keys.sessions, queryFn: ({ signal }) => sessions(signal) });
  const byProvider = all.data?.some((s) => s.current && s.by === "provider") ?? false;
  return (
    <Page title="Account" of={me.email} hint={`Signed in as ${me.email}`}>
      <Section title="Roles" hint="what you are in each organization">
        <Card>
          <ul className="divide-y divide-line text-sm">
            {(me.organizations ?? []).map((o) => (
              <li key={o.organization} className="flex flex-wrap items-center gap-x-4 px-4 py-2.5">
                <Link look="name" href={inOrganization(o.organization)}>
                  {o.organization}
                </Link>
                <span className="text-soft">{o.role || "a role in some workspaces or objects"}</span>
              </li>
            ))}
            {me.operator ? <li className="px-4 py-2.5">You run this installation as its operator.</li> : null}
            {(me.organizations ?? []).length === 0 && !me.operator ? (
              <li className="px-4 py-2.5 text-soft">You have no role anywhere. An administrator can invite you.</li>
            ) : null}
          </ul>
        </Card>
      </Section>
      {byProvider ? (
        <Notice tone="calm" title="You signed in at your organization’s identity provider.">
          <p>
            It looks after your password and second factor. To change what Weir itself keeps of the account, sign in
            with the account’s own password.
          </p>
        </Notice>
      ) : (
        <Loaded query={codes} what="the account">
          {(a) => (
            <>
              <PasswordChange asksForCode={a.enrolled} />
              <OneTimeCodes authenticator={a} />
            </>
          )}
        </Loaded>
      )}
      {codes.isPending || all.isPending ? null : (
        <>
          <Section title="Sessions" hint="where you are signed in to the console">
            <Loaded query={all} what="the sessions">
              {(list) => <SessionList sessions={list} />}
            </Loaded>
          </Section>
          <OwnTokens />
        </>
      )}
    </Page>
  );
}
