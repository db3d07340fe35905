import { useQuery } from "@tanstack/react-query";
import { type Profiles, profiles, runProfiles } from "../../api/customers";
import { publishHeld } from "../../api/profiles";
import { useWorkspace } from "../../frame/place";
import { Notice } from "../../parts/notice";
import { Waiting } from "../../parts/waiting";
import { When } from "../../parts/when";
import { keys } from "../../queries";
import { count } from "../flow";
import { Act } from "../object/act";
import { State } from "../object/state";
import { type Stat, Stats } from "../object/stats";
import { PlaneTrouble, quoted } from "../plane-trouble";
import type { Profile } from "../profiles/use-set";
import { HeldChanges } from "./held-changes";

const refreshEvery = 3000; // ms

/** What each code of a gate says. */
export const gates: Record<string, string> = {
  largest: "one customer would have more identifiers than the rules allow",
  moved: "more identifiers would leave their customer than the rules allow",
  gone: "more customers would be gone than the rules allow",
  reviewed: "it breaks what people said of pairs that they reviewed",
};

/** How the last build of a profile ended, and what can be done about it. */
export function LastBuild({ profile }: { profile: Profile }) {
  const { name: workspace } = useWorkspace();
  const list = useQuery({
    queryKey: keys.profiles(workspace),
    queryFn: ({ signal }) => profiles(workspace, signal),
    refetchInterval: refreshEvery,
  });
  const changed = keys.profiles(workspace);
  const which = `--workspace ${quoted(workspace)} --profiles ${quoted(profile.name)}`;
  if (list.error)
    return (
      <PlaneTrouble
        error={list.error}
        what="the last build"
        command={`weir profiles status --workspace ${quoted(workspace)}`}
        onRetry={() => list.refetch()}
      />
    );
  if (!list.data) return <Waiting what="the last build" />;
  const now = list.data.find((p) => p.name === profile.name);
  if (!now)
    return <p className="text-sm text-soft">These profiles are a draft. They are built once they are published.</p>;
  const { last } = now;
  const busy = now.running || now.waits;
  return (
    <div className="space-y-4">
      <div className="flex flex-wrap items-center gap-3 text-sm">
        <State
          state={busy ? "running" : (last?.state ?? "pending")}
          code={last?.state === "failed" && last.code !== "" ? last.code : undefined}
        />
        {last ? (
          <span className="text-soft">
            <When at={last.startedAt} />
          </span>
        ) : null}
        <span className="ml-auto">
          <Act
            label="Build now"
            of={profile.name}
            act={() => runProfiles(workspace, profile.name)}
            changed={changed}
            command={`weir profiles run ${which}`}
          />
        </span>
      </div>
      {last?.state === "held" && !busy ? (
        <Notice tone="warn" title="The last build is held, and customers are as they were before it.">
          <p>
            It would change more than the rules allow:{" "}
            {(last.code ?? "")
              .split(" ")
              .map((c) => gates[c] ?? c)
              .join("; ")}
            . A shared address or device is often the cause: block it, or give its identifier a limit below. When the
            change is right, publish it.
          </p>
          <Act
            look="strong"
            label="Publish it anyway"
            of={profile.name}
            act={() => publishHeld(workspace, profile.name)}
            command={`weir profiles publish ${which}`}
            changed={changed}
          />
        </Notice>
      ) : null}
      {last?.state === "held" && !busy ? (
        <HeldChanges
          key={last.startedAt}
          profile={profile.name}
          entities={Object.keys(last.identity ?? {})}
          at={last.startedAt}
        />
      ) : null}
      {last?.state === "failed" && !busy ? (
        <Notice tone="bad" title="The last build failed, and customers are as they were before it.">
          <p>{last.detail ?? "The plane tries again by itself."}</p>
        </Notice>
      ) : null}
      {Object.entries(last?.identity ?? {}).map(([entity, m]) => (
        <section key={entity} aria-label={`Last build of ${entity}`} className="space-y-2">
          {profile.entities.length > 1 ? <h3 className="text-sm font-medium">{entity}</h3> : null}
          <Stats stats={statsOf(m, last?.code ?? "")} />
        </section>
      ))}
    </div>
  );
}

function statsOf(m: Measures, held: string): Stat[] {
  const tone = (code: string): NonNullable<Stat["tone"]> => (held.split(" ").includes(code) ? "warn" : "plain");
  return [
    { title: "Customers", value: count(m.persons) },
    { title: "Identifiers", value: count(m.ids) },
    { title: "Largest customer touched", value: count(m.largest), tone: tone("largest") },
    { title: "Identifiers that moved", value: count(m.moved), tone: tone("moved") },
    { title: "Customers that are gone", value: count(m.gone), tone: tone("gone") },
    ...(m.reviewed
      ? [
          {
            title: "Reviewed pairs broken",
            value: `${count(m.reviewed.broken)} of ${count(m.reviewed.pairs)}`,
            tone: tone("reviewed"),
          },
        ]
      : []),
  ];
}

type Measures = NonNullable<NonNullable<Profiles["last"]>["identity"]>[string];
