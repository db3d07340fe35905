import type { Person } from "../../api/profiles";
import { useWorkspace } from "../../frame/place";
import { Link } from "../../parts/link";
import { When } from "../../parts/when";
import { count } from "../flow";

/** What became of a customer: who was merged into him, and who came out. */
export function Past({ person, query }: { person: Person; query: string }) {
  const workspace = useWorkspace();
  if (person.past.length === 0) return <p className="text-sm text-soft">Nothing is noted of this customer yet.</p>;
  const other = (id: string) => <Link href={`${workspace.path("customers", `weir_id:${id}`)}${query}`}>{id}</Link>;
  const identifiers = (n: number) => (n === 1 ? "one identifier" : `${count(n)} identifiers`);
  return (
    <ol className="max-w-2xl divide-y divide-line rounded-xl border border-line bg-card text-sm shadow-xs">
      {person.past.map((p) => (
        <li key={`${p.kind} ${p.weirId} ${p.other} ${p.at} ${p.ids}`} className="flex flex-wrap gap-x-4 px-4 py-2.5">
          <span>
            {p.kind === "minted" ? <>Was first recognized, with {identifiers(p.ids)}.</> : null}
            {p.kind === "apart" ? <>{identifiers(p.ids)} became nobody's.</> : null}
            {p.kind === "merged" ? (
              p.weirId === person.weirId ? (
                <>Became part of {other(p.other ?? "")}.</>
              ) : (
                <>
                  {p.weirId} became part of this customer, with {identifiers(p.ids)}.
                </>
              )
            ) : null}
            {p.kind === "split" ? (
              p.weirId === person.weirId ? (
                <>
                  {identifiers(p.ids)} came out and went to {other(p.other ?? "")}.
                </>
              ) : (
                <>
                  Came out of {other(p.weirId)}, with {identifiers(p.ids)}.
                </>
              )
            ) : null}
          </span>
          {p.at ? (
            <span className="ml-auto text-soft">
              <When at={p.at} />
            </span>
          ) : null}
        </li>
      ))}
    </ol>
  );
}
