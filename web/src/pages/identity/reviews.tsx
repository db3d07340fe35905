import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { decide, type Pair, type Reviews, reviews } from "../../api/profiles";
import { useWorkspace } from "../../frame/place";
import { Button } from "../../parts/button";
import { Link } from "../../parts/link";
import { Notice } from "../../parts/notice";
import { Waiting } from "../../parts/waiting";
import { When } from "../../parts/when";
import { keys } from "../../queries";
import { count } from "../flow";
import { type Stat, Stats } from "../object/stats";
import { PlaneTrouble, quoted } from "../plane-trouble";
import { decisionCommand } from "../profiles/decision-command";
import type { Profile } from "../profiles/use-set";
import { plain } from "../profiles/words";

/** href gives the address of a customer by an identifier. */
type Props = { profile: Profile; entity: string; href: (id: string) => string };

/** Pairs of identifiers that people say are one person or two, by which builds are judged. Identifiers of customers are shown once somebody asks. */
export function ReviewedPairs(props: Props) {
  const [shown, setShown] = useState(false);
  return (
    <div className="max-w-4xl space-y-4">
      <p className="text-sm text-soft">
        Say of pairs that you know whether they are one person. That changes no customer: every build is judged by it,
        and waits for a person when it breaks what you said.
      </p>
      {shown ? <Shown {...props} /> : <Button onClick={() => setShown(true)}>Show pairs with their identifiers</Button>}
    </div>
  );
}

function Shown({ profile, entity, href }: Props) {
  const { name: workspace } = useWorkspace();
  const key = [...keys.profiles(workspace), "reviews", profile.name, entity];
  const list = useQuery({
    queryKey: key,
    queryFn: ({ signal }) => reviews(workspace, profile.name, entity, signal),
    staleTime: Number.POSITIVE_INFINITY, // the queue stays in its order while somebody works on it
  });
  if (list.error)
    return (
      <PlaneTrouble
        error={list.error}
        what="reviewed pairs"
        command={`weir profiles reviews --workspace ${quoted(workspace)}`}
        onRetry={() => list.refetch()}
      />
    );
  if (!list.data) return <Waiting what="pairs" />;
  return <Pairs all={list.data} about={{ workspace, profile: profile.name, entity, href }} queryKey={key} />;
}

type About = { workspace: string; profile: string; entity: string; href: (id: string) => string };

function Pairs({ all, about, queryKey }: { all: Reviews; about: About; queryKey: string[] }) {
  const { measures: m } = all;
  const broken = all.reviewed.filter(breaks);
  const held = all.reviewed.filter((p) => !breaks(p));
  const row = (p: Pair) => <Row key={`${p.a} ${p.b}`} pair={p} about={about} queryKey={queryKey} />;
  return (
    <div className="space-y-5">
      {m.pairs > 0 ? <Stats stats={statsOf(m)} /> : null}
      {broken.length > 0 ? (
        <Notice
          tone="warn"
          title={broken.length === 1 ? "One reviewed pair is broken now." : "Reviewed pairs are broken now."}
        >
          <p>
            Change the rules below; or open one of the customers, where you can part two people. What belongs together
            and was never seen together is joined with <code>weir profiles link</code>.
          </p>
        </Notice>
      ) : null}
      {broken.length > 0 ? <List title="Broken now">{broken.map(row)}</List> : null}
      {all.queue.length > 0 ? (
        <List title="Worth a look">{all.queue.map(row)}</List>
      ) : (
        <p className="text-sm text-soft">No further pair is in doubt.</p>
      )}
      {held.length > 0 ? (
        <details>
          <summary className="cursor-pointer text-sm text-soft">As you said: {count(held.length)}</summary>
          <div className="mt-3">
            <List title="As you said">{held.map(row)}</List>
          </div>
        </details>
      ) : null}
    </div>
  );
}

/** Whether the last build that was published has a pair otherwise than somebody said. */
function breaks(p: Pair): boolean {
  return !p.missing && p.said !== undefined && (p.said === "same") !== p.one;
}

function statsOf(m: Reviews["measures"]): Stat[] {
  const percent = (share: number) => `${(100 * share).toFixed(share < 1 ? 1 : 0)} %`;
  return [
    { title: "Pairs reviewed", value: count(m.pairs) },
    { title: "Broken now", value: count(m.broken), tone: m.broken > 0 ? "warn" : "plain" },
    { title: "Joined rightly (precision)", value: percent(m.precision) },
    { title: "Found of what is one (recall)", value: percent(m.recall) },
  ];
}

function List({ title, children }: { title: string; children: React.ReactNode }) {
  return (
    <section aria-label={title} className="space-y-2">
      <h3 className="text-sm font-medium">{title}</h3>
      <ul className="divide-y divide-line rounded-xl border border-line bg-card shadow-xs">{children}</ul>
    </section>
  );
}

/** A pair with what is known of it, and what somebody may say of it. */
function Row({ pair, about, queryKey }: { pair: Pair; about: About; queryKey: string[] }) {
  const queries = useQueryClient();
  const say = useMutation({
    mutationFn: (said: { kind: "same" | "different"; undo?: boolean }) =>
      decide(about.workspace, about.profile, about.entity, { a: pair.a, b: pair.b, ...said }),
    onSuccess: () => queries.invalidateQueries({ queryKey }),
  });
  const of = `${pair.a} and ${pair.b}`;
  const button = (kind: "same" | "different", label: string) => (
    <Button disabled={say.isPending} aria-pressed={pair.said === kind} onClick={() => say.mutate({ kind })}>
      <span className={pair.said === kind ? "font-medium text-ink" : ""}>
        {label} <span className="sr-only">: {of}</span>
      </span>
    </Button>
  );
  return (
    <li className="flex flex-wrap items-center gap-x-6 gap-y-3 px-4 py-3 text-sm">
      <div className="min-w-60 flex-1 space-y-0.5">
        <Identifier id={pair.a} href={about.href(pair.a)} />
        <Identifier id={pair.b} href={about.href(pair.b)} />
        <p className="text-soft">{pair.missing ? "One of them is no longer there" : <Standing pair={pair} />}</p>
      </div>
      <div className="flex flex-wrap gap-2">
        {button("same", "One person")}
        {button("different", "Two people")}
        {pair.said ? (
          <Button disabled={say.isPending} onClick={() => say.mutate({ kind: pair.said ?? "same", undo: true })}>
            Take back <span className="sr-only">{of}</span>
          </Button>
        ) : null}
      </div>
      {say.error && say.variables ? (
        <PlaneTrouble
          error={say.error}
          command={decisionCommand({ ...about, decision: { a: pair.a, b: pair.b, ...say.variables } })}
          onRetry={() => say.variables && say.mutate(say.variables)}
        />
      ) : null}
    </li>
  );
}

function Standing({ pair }: { pair: Pair }) {
  const now = pair.one ? "One customer now" : "Two customers now";
  if (pair.alike) return `${now}, who has ${count(pair.alike)} of this kind`;
  if (!pair.seen) return now;
  return (
    <>
      {now}, seen together <When at={pair.seen} />
    </>
  );
}

function Identifier({ id, href }: { id: string; href: string }) {
  const [type = "", ...value] = id.split(":");
  return (
    <p>
      <span className="text-soft">{plain(type)}</span>{" "}
      <span className="break-all">
        <Link href={href}>{value.join(":")}</Link>
      </span>
    </p>
  );
}
