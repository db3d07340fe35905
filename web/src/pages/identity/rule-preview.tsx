import { useMutation } from "@tanstack/react-query";
import { type Comparison, compareRules, type Totals } from "../../api/profiles";
import { useWorkspace } from "../../frame/place";
import { Button } from "../../parts/button";
import { Notice } from "../../parts/notice";
import { Section } from "../../parts/section";
import { Spinner } from "../../parts/spinner";
import { count } from "../flow";
import { type Stat, Stats } from "../object/stats";
import { PlaneTrouble, quoted } from "../plane-trouble";
import type { Profile } from "../profiles/use-set";
import { plain } from "../profiles/words";
import { gates } from "./last-build";
import { Movers } from "./movers";
import { Sets } from "./sets";

/** Why identifiers are nobody's, but for those that are seen with too many others. */
const whys: Record<string, string> = {
  blocked: "somebody blocked them",
  excluded: "the rules exclude their value",
  untyped: "the rules have no such identifiers any more",
  gone: "whom they name is gone",
};

type Entities = Profile["entities"];

type Props = {
  profile: string;
  entities: Entities;
  /** Those that the rules would read; absent for those that are published. */
  inputs?: Profile["inputs"];
  words?: { title: string; act: string };
};

const ofRules = { title: "Try the changed rules", act: "Try them on real data" };

/** What changed rules would make of the customers there are, straight from the plane, before they are saved. */
export function RulePreview({ profile, entities, inputs, words = ofRules }: Props) {
  const workspace = useWorkspace();
  const rules = { entities, inputs };
  const shown = JSON.stringify(rules);
  const look = useMutation({
    mutationFn: async (of: { entities: Entities; inputs: Profile["inputs"] | undefined }) => {
      const found: { entity: string; found: Comparison }[] = [];
      for (const e of of.entities)
        found.push({ entity: e.name, found: await compareRules(workspace.name, profile, e.name, of) });
      return found;
    },
  });
  const stale = look.data !== undefined && JSON.stringify(look.variables) !== shown;
  return (
    <Section
      title={words.title}
      hint="on the newest rows in your warehouse; nothing is written, and nothing leaves the plane but to you"
    >
      <div className="space-y-4">
        <div className="flex flex-wrap items-center gap-3 text-sm">
          <Button onClick={() => look.mutate(rules)} disabled={look.isPending}>
            {look.data ? "Try again" : words.act}
          </Button>
          <span role="status" className="flex items-center gap-2 text-soft">
            {look.isPending ? (
              <>
                <Spinner /> The warehouse builds customers as they are and as they would be
              </>
            ) : stale ? (
              "It changed since; try again."
            ) : null}
          </span>
        </div>
        {look.error ? (
          <PlaneTrouble
            error={look.error}
            what="what the rules would do"
            command={`weir profiles rules -f weir.yaml --workspace ${quoted(workspace.name)} --profiles ${quoted(profile)}`}
            onRetry={() => look.mutate(rules)}
          />
        ) : null}
        {look.isPending ? null : look.data?.map((d) => <Found key={d.entity} {...d} several={look.data.length > 1} />)}
      </div>
    </Section>
  );
}

function Found({ entity, found: c, several }: { entity: string; found: Comparison; several: boolean }) {
  const reasons = [...new Set([...Object.keys(c.before.apart), ...Object.keys(c.after.apart)])];
  const unchanged = c.moved === 0 && c.gone === 0 && c.before.ids === c.after.ids && c.joined === 0 && c.parted === 0;
  return (
    <section aria-label={`What would become of ${plain(entity)}`} className="space-y-4">
      {several ? <h3 className="text-sm font-medium">{plain(entity)}</h3> : null}
      {c.held.length > 0 ? (
        <Notice tone="warn" title="A build with this would be held.">
          <p>
            {c.held.map((h) => gates[h] ?? h).join("; ")}. Customers stay as they are until somebody publishes it
            anyway.
          </p>
        </Notice>
      ) : null}
      <Stats stats={stats(c)} />
      {unchanged ? <p className="text-sm">Nobody would be joined or parted.</p> : null}
      {reasons.length > 0 ? (
        <table className="text-left text-sm">
          <caption className="pb-1 text-left font-medium">Identifiers that are nobody's</caption>
          <thead className="text-soft">
            <tr>
              <th scope="col" className="pr-6 font-normal">
                Because
              </th>
              <th scope="col" className="pr-6 text-right font-normal">
                Now
              </th>
              <th scope="col" className="text-right font-normal">
                Then
              </th>
            </tr>
          </thead>
          <tbody>
            {reasons.map((r) => (
              <tr key={r}>
                <th scope="row" className="pr-6 font-normal">
                  {whys[r] ?? `they are seen with ${r}`}
                </th>
                <td className="pr-6 text-right tabular-nums">{count(c.before.apart[r] ?? 0)}</td>
                <td className="text-right tabular-nums">{count(c.after.apart[r] ?? 0)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      ) : null}
      <div className="grid gap-4 lg:grid-cols-2">
        <Sets
          title={`${count(c.joined)} would be joined of several`}
          sets={c.joins}
          of={(n) => `of ${count(n)} customers now`}
        />
        <Sets title={`${count(c.parted)} would come apart`} sets={c.parts} of={(n) => `into ${count(n)}`} />
        <Sets title="The largest then" sets={c.largest} of={(n) => (n > 1 ? `of ${count(n)} customers now` : "")} />
        <Movers movers={c.movers} />
      </div>
      {c.sampled.length > 0 ? (
        <p className="text-sm text-soft">
          Of {c.sampled.join(", ")} only the newest 200,000 rows were looked at, by both sets of rules.
        </p>
      ) : null}
    </section>
  );
}

function stats(c: Comparison): Stat[] {
  const tone = (code: string): NonNullable<Stat["tone"]> => (c.held.includes(code) ? "warn" : "plain");
  const both = (of: (t: Totals) => number) =>
    of(c.before) === of(c.after) ? count(of(c.after)) : `${count(of(c.before))} → ${count(of(c.after))}`;
  return [
    { title: "Customers", value: both((t) => t.persons) },
    { title: "Identifiers", value: both((t) => t.ids) },
    { title: "Largest customer", value: both((t) => t.largest), tone: tone("largest") },
    { title: "Identifiers that move", value: count(c.moved), tone: tone("moved") },
    { title: "Customers that are gone", value: count(c.gone), tone: tone("gone") },
  ];
}
