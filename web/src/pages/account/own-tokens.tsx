import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { ownTokens, revokeOwnToken } from "../../api/account";
import { Button } from "../../parts/button";
import { Section } from "../../parts/section";
import { Table } from "../../parts/table";
import { When } from "../../parts/when";
import { keys } from "../../queries";
import { Loaded } from "../loaded";
import { Trouble } from "../trouble";

/** Tokens by which programs act as the person: those of weir login, and others. */
export function OwnTokens() {
  const queries = useQueryClient();
  const all = useQuery({ queryKey: keys.ownTokens, queryFn: ({ signal }) => ownTokens(signal) });
  const revoke = useMutation({
    mutationFn: revokeOwnToken,
    onSettled: () => queries.invalidateQueries({ queryKey: keys.ownTokens }),
  });
  return (
    <Section title="Your tokens" hint="programs that may what you may, such as a command line that signed in">
      {revoke.error ? <Trouble error={revoke.error} /> : null}
      <Loaded query={all} what="your tokens">
        {(list) => (
          <Table
            label="Your tokens"
            rows={list}
            keyOf={(t) => t.id}
            empty={
              <p className="text-sm text-soft">
                None. <code className="font-mono text-ink">weir login --control {location.origin}</code> makes one for a
                command line.
              </p>
            }
            columns={[
              { title: "Name", cell: (t) => <span className="font-medium break-all">{t.name}</span> },
              { title: "Last used", cell: (t) => (t.lastUsedAt ? <When at={t.lastUsedAt} /> : "Never") },
              {
                title: "Good until",
                wide: true,
                cell: (t) => (t.expiresAt ? <When at={t.expiresAt} whole /> : "It is revoked"),
              },
              {
                title: "",
                right: true,
                cell: (t) => (
                  <Button onClick={() => revoke.mutate(t.id)} disabled={revoke.isPending}>
                    Revoke<span className="sr-only"> {t.name}</span>
                  </Button>
                ),
              },
            ]}
          />
        )}
      </Loaded>
    </Section>
  );
}
