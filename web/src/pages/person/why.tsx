import { useQuery } from "@tanstack/react-query";
import { explain, type Person } from "../../api/profiles";
import { useWorkspace } from "../../frame/place";
import { Button } from "../../parts/button";
import { Spinner } from "../../parts/spinner";
import { keys } from "../../queries";
import { PlaneTrouble, quoted } from "../plane-trouble";
import { Pick } from "../profiles/pick";
import type { Profile } from "../profiles/use-set";
import { plain } from "../profiles/words";
import { Chain } from "./chain";
import { idOf } from "./parting";

/** Two identifiers, type:value, whose way to each other is asked for. */
export type Ends = readonly [from: string, to: string];

type Props = {
  person: Person;
  profile: Profile;
  entity: string;
  /** Absent until somebody asks. */
  ends: Ends | undefined;
  onChange: (ends: Ends) => void;
};

/** Why two identifiers are one customer's: the way of links between them, each with the events that made it. */
export function Why({ person, profile, entity, ends, onChange }: Props) {
  const { name: workspace } = useWorkspace();
  const ids = person.identifiers.map(idOf);
  const values = person.identifiers.map((i) => ({ value: idOf(i), title: `${plain(i.type)} ${i.value}` }));
  const found = useQuery({
    queryKey: [...keys.profiles(workspace), "explain", profile.name, entity, ends],
    queryFn: ({ signal }) => explain(workspace, profile.name, entity, ends ?? ["", ""], signal),
    enabled: ends !== undefined && ends[0] !== ends[1],
    staleTime: 60_000,
  });
  const [first = "", last = ""] = [ids[0], ids.at(-1)];
  if (ids.length < 2) return null;
  if (!ends) return <Button onClick={() => onChange([first, last])}>Why is this one person?</Button>;
  const [from, to] = ends;
  const at = `--workspace ${quoted(workspace)} --profiles ${quoted(profile.name)} --entity ${quoted(entity)}`;
  return (
    <section aria-labelledby="why" className="space-y-4 rounded-xl border border-line bg-card p-4 shadow-xs">
      <h2 id="why" tabIndex={-1} className="text-base font-semibold">
        Why is this one person?
      </h2>
      <div className="flex flex-wrap items-center gap-2 text-sm">
        <span>From</span>
        <Pick label="From which identifier" value={from} values={values} onChange={(a) => onChange([a, to])} />
        <span>to</span>
        <Pick label="To which identifier" value={to} values={values} onChange={(b) => onChange([from, b])} />
      </div>
      {from === to ? <p className="text-sm text-soft">Choose two that differ.</p> : null}
      {found.isFetching && !found.data ? (
        <p role="status" className="flex items-center gap-2 text-sm text-soft">
          <Spinner /> The warehouse looks for the events that join them
        </p>
      ) : null}
      {found.error ? (
        <PlaneTrouble
          error={found.error}
          what="why"
          command={`weir profiles explain ${quoted(from)} ${quoted(to)} ${at}`}
          onRetry={() => found.refetch()}
        />
      ) : null}
      {found.data && from !== to && !found.error ? <Chain found={found.data} profile={profile} /> : null}
    </section>
  );
}
