import { useMutation, useQueryClient } from "@tanstack/react-query";
import { requireCode } from "../../api/sign-in";
import { Badge } from "../../parts/badge";
import { Button } from "../../parts/button";
import { Command } from "../../parts/command";
import { Link } from "../../parts/link";
import { Section } from "../../parts/section";
import { keys } from "../../queries";
import { Trouble } from "../trouble";

/** Whether roles of people count only after a sign-in with a one-time code. */
export function CodeRule({ required, owner }: { required: boolean; owner: boolean }) {
  const queries = useQueryClient();
  const set = useMutation({
    mutationFn: requireCode,
    onSuccess: (is) => queries.setQueryData(keys.signIn(), is),
  });
  return (
    <Section title="One-time codes" hint="of the authenticator app of each person">
      <div className="max-w-2xl space-y-3 text-sm">
        {required ? <Badge tone="good">Required of everybody</Badge> : <Badge tone="quiet">Not required</Badge>}
        <p className="text-soft">
          {required
            ? "Roles of people count only after a sign-in with a one-time code. Who has no authenticator sets one up on the page of the account, and signs in again. A sign-in at the identity provider counts as before: the provider asks for what it asks for."
            : "A password alone is enough. Each person may set up an authenticator app all the same."}
        </p>
        {set.error ? (
          <>
            <Trouble error={set.error} />
            <Link href="/account">To the page of your account</Link>
          </>
        ) : null}
        {owner ? (
          <>
            <Button onClick={() => set.mutate(!required)} disabled={set.isPending}>
              {required ? "Require codes no more" : "Require codes of everybody"}
            </Button>
            <Command
              text={`weir org sign-in --require-code${required ? "=false" : ""}`}
              name="the command that does the same"
            />
          </>
        ) : null}
      </div>
    </Section>
  );
}
