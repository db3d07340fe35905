import { useQuery } from "@tanstack/react-query";
import { provider, signIn } from "../../api/sign-in";
import { useHere } from "../../frame/place";
import { Page } from "../../parts/page";
import { Section } from "../../parts/section";
import { keys } from "../../queries";
import { Loaded } from "../loaded";
import { CodeRule } from "./code-rule";
import { ProviderCard } from "./provider-card";

/** How people sign in to the organization. */
export function SignInPage() {
  const { organization, me, role } = useHere();
  const rule = useQuery({ queryKey: keys.signIn(), queryFn: ({ signal }) => signIn(signal) });
  const at = useQuery({ queryKey: keys.provider(), queryFn: ({ signal }) => provider(signal), enabled: !rule.error });
  const name = organization || me.organizations?.[0]?.organization || "Organization";
  const owner = role === "owner";
  return (
    <Page
      title="Sign-in"
      of={name}
      hint={`How people sign in to the organization, and what that has to prove.${owner ? "" : " Owners change it."}`}
    >
      <Loaded query={rule} what="how people sign in">
        {(r) => (
          <>
            <Section title="Identity provider" hint="where people sign in with the account of their company">
              <Loaded query={at} what="the identity provider">
                {(p) => <ProviderCard provider={p} organization={name} owner={owner} />}
              </Loaded>
            </Section>
            <CodeRule required={r.requireCode ?? false} owner={owner} />
          </>
        )}
      </Loaded>
    </Page>
  );
}
