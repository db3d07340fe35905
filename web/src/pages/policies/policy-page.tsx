import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useParams } from "@tanstack/react-router";
import { useState } from "react";
import { enablePolicy, policy, removePolicy } from "../../api/policies";
import { inOrganization, useHere } from "../../frame/place";
import { actorText } from "../../parts/actor";
import { Badge } from "../../parts/badge";
import { Button } from "../../parts/button";
import { Dialog } from "../../parts/dialog";
import { Link } from "../../parts/link";
import { Page } from "../../parts/page";
import { go } from "../../parts/path";
import { When } from "../../parts/when";
import { keys } from "../../queries";
import { Loaded } from "../loaded";
import { Trouble } from "../trouble";
import { PolicyEditor } from "./policy-editor";

/** One policy: its text, a test of it, and whether it is asked. */
export function PolicyPage() {
  const { organization, role } = useHere();
  const { name = "" } = useParams({ strict: false });
  const queries = useQueryClient();
  const owner = role === "owner";
  const [removing, setRemoving] = useState(false);
  const one = useQuery({ queryKey: keys.policy(name), queryFn: ({ signal }) => policy(name, signal) });
  const enable = useMutation({
    mutationFn: (enabled: boolean) => enablePolicy(name, enabled),
    onSettled: () => queries.invalidateQueries({ queryKey: keys.policies() }),
  });
  const p = one.data;
  return (
    <Page
      title={name}
      of="Policy"
      up={{ href: inOrganization(organization, "policies"), title: "Policies" }}
      beside={p ? p.enabled ? <Badge tone="good">Asked</Badge> : <Badge tone="quiet">Not asked</Badge> : null}
      hint={
        p ? (
          <>
            {p.language === "rego" ? "A policy in Rego" : "Rules without Rego"}, changed by {actorText(p.updatedBy)},{" "}
            <When at={p.updatedAt} />.{" "}
            <Link href={`${inOrganization(organization, "audit")}?object=${encodeURIComponent(name)}`}>
              Who changed it before
            </Link>
          </>
        ) : undefined
      }
      actions={
        owner && p ? (
          <>
            <Button onClick={() => enable.mutate(!p.enabled)} disabled={enable.isPending}>
              {p.enabled ? "Ask it no more" : "Ask it again"}
            </Button>
            <Button onClick={() => setRemoving(true)}>Remove…</Button>
          </>
        ) : null
      }
    >
      {enable.error ? <Trouble error={enable.error} /> : null}
      <Loaded query={one} what="the policy">
        {(is) => (
          <PolicyEditor
            key={name}
            name={name}
            language={is.language}
            initial={is.text ?? ""}
            enabled={is.enabled}
            owner={owner}
          />
        )}
      </Loaded>
      {removing ? <Removing name={name} onClose={() => setRemoving(false)} /> : null}
    </Page>
  );
}

function Removing({ name, onClose }: { name: string; onClose: () => void }) {
  const { organization } = useHere();
  const queries = useQueryClient();
  const remove = useMutation({
    mutationFn: () => removePolicy(name),
    onSuccess: async () => {
      go(inOrganization(organization, "policies"));
      await queries.invalidateQueries({ queryKey: keys.policies() });
    },
  });
  return (
    <Dialog title={`Remove ${name}`} onClose={onClose}>
      <p>Changes are held to it no more from this moment. What waits for another person because of it still waits.</p>
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
