import type { Person } from "../../api/profiles";
import { useWorkspace } from "../../frame/place";
import { Link } from "../../parts/link";
import { Section } from "../../parts/section";
import { When } from "../../parts/when";
import type { Profile } from "../profiles/use-set";
import { plain } from "../profiles/words";

/** The features of a customer, and the audiences that he is in. */
export function Known({ person, profile, query }: { person: Person; profile: Profile; query: string }) {
  const workspace = useWorkspace();
  const traits = Object.entries(person.traits);
  const features = new Set((profile.features ?? []).map((f) => f.name));
  return (
    <div className="grid items-start gap-8 lg:grid-cols-[minmax(0,2fr)_minmax(0,1fr)]">
      <Section title="Features">
        {traits.length === 0 ? (
          <p className="text-sm text-soft">Nothing is computed yet.</p>
        ) : (
          <dl className="divide-y divide-line rounded-xl border border-line bg-card text-sm shadow-xs">
            {traits.map(([name, value]) => (
              <div key={name} className="flex gap-4 px-4 py-2">
                <dt className="w-1/3 min-w-28 text-soft">
                  {features.has(name) ? (
                    <Link
                      look="plain"
                      className="hover:text-ink hover:underline"
                      href={`${workspace.path("features", name)}${query}`}
                    >
                      {plain(name)}
                    </Link>
                  ) : (
                    plain(name)
                  )}
                </dt>
                <dd className="min-w-0 flex-1 break-words tabular-nums">{shown(value)}</dd>
              </div>
            ))}
          </dl>
        )}
      </Section>
      <Section title="Audiences">
        {person.audiences.length === 0 ? <p className="text-sm text-soft">In no audience.</p> : null}
        <ul className="space-y-1.5 text-sm">
          {person.audiences.map((a) => (
            <li key={a.name}>
              <Link href={`${workspace.path("audiences", a.name)}${query}`}>{a.name}</Link>{" "}
              <span className="text-soft">
                since <When at={a.since} />
              </span>
            </li>
          ))}
        </ul>
      </Section>
    </div>
  );
}

const number = new Intl.NumberFormat(undefined, { maximumFractionDigits: 4 });

function shown(value: unknown) {
  if (value === null || value === undefined) return <span className="text-soft">not known</span>;
  if (typeof value === "number") return number.format(value);
  if (typeof value === "boolean") return value ? "yes" : "no";
  return String(value);
}
