import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { type Held, heldChanges } from "../../api/profiles";
import { useWorkspace } from "../../frame/place";
import { Button } from "../../parts/button";
import { Waiting } from "../../parts/waiting";
import { keys } from "../../queries";
import { count } from "../flow";
import { PlaneTrouble, quoted } from "../plane-trouble";
import { plain } from "../profiles/words";
import { Movers } from "./movers";
import { Sets } from "./sets";

type Props = {
  profile: string;
  entities: string[];
  /** When the build began. */
  at: string;
};

/** What a build that is held would change, in identifiers of customers. They are shown once somebody asks. */
export function HeldChanges({ profile, entities, at }: Props) {
  const [shown, setShown] = useState(false);
  if (!shown) return <Button onClick={() => setShown(true)}>Show what it would change</Button>;
  return (
    <>
      {entities.map((e) => (
        <Changes key={e} profile={profile} entity={e} at={at} several={entities.length > 1} />
      ))}
    </>
  );
}

function Changes({ profile, entity, at, several }: { profile: string; entity: string; at: string; several: boolean }) {
  const { name: workspace } = useWorkspace();
  const found = useQuery({
    queryKey: [...keys.profiles(workspace), "held", profile, entity, at],
    queryFn: ({ signal }) => heldChanges(workspace, profile, entity, signal),
  });
  if (found.error)
    return (
      <PlaneTrouble
        error={found.error}
        command={`weir profiles status --workspace ${quoted(workspace)}`}
        onRetry={() => found.refetch()}
      />
    );
  if (found.isPending) return <Waiting what="what it would change" />;
  const h = found.data;
  if (!h) return several ? null : <p className="text-sm text-soft">Nothing is held any more.</p>;
  return (
    <section aria-label={`What would change of ${plain(entity)}`} className="space-y-4">
      {several ? <h3 className="text-sm font-medium">{plain(entity)}</h3> : null}
      <div className="grid items-start gap-4 lg:grid-cols-2">
        <BrokenPairs pairs={h.pairs} />
        <Sets title="Would be joined" sets={h.joins} of={(n) => `of ${count(n)} customers now`} />
        {h.by.includes("largest") ? (
          <Sets title="The largest then" sets={h.largest.filter((s) => s.of < 2).slice(0, 3)} of={() => ""} />
        ) : null}
        <Movers movers={h.movers} />
      </div>
    </section>
  );
}

function BrokenPairs({ pairs }: { pairs: Held["pairs"] }) {
  if (pairs.length === 0) return null;
  return (
    <div className="min-w-0 space-y-2">
      <h3 className="text-sm font-medium">Reviewed pairs that it would break</h3>
      <ul
        className="divide-y divide-line rounded-xl border border-line bg-card text-sm shadow-xs"
        aria-label="Reviewed pairs that it would break"
      >
        {pairs.map((p) => (
          <li key={`${p.a} ${p.b}`} className="space-y-0.5 px-4 py-2">
            <p className="font-mono text-[13px] break-all">{p.a}</p>
            <p className="font-mono text-[13px] break-all">{p.b}</p>
            <p className="text-soft">
              {p.said === "same"
                ? "Reviewed as one person; they would be two customers."
                : "Reviewed as two people; they would be one customer."}
            </p>
          </li>
        ))}
      </ul>
    </div>
  );
}
