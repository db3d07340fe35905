import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { runProfiles } from "../../api/customers";
import { type Decision, decide, type Person } from "../../api/profiles";
import { useWorkspace } from "../../frame/place";
import { Button } from "../../parts/button";
import { Notice } from "../../parts/notice";
import { When } from "../../parts/when";
import { keys } from "../../queries";
import { Act } from "../object/act";
import { PlaneTrouble, quoted } from "../plane-trouble";
import { decisionCommand } from "../profiles/decision-command";
import type { Profile } from "../profiles/use-set";
import { plain } from "../profiles/words";
import { crossing, groups, idOf, reasons } from "./parting";
import { type Ends, Why } from "./why";

type Props = { person: Person; profile: Profile; entity: string };

/** The identifiers of a customer, why they are his and since when; and what parts them into two. */
export function Identifiers({ person, profile, entity }: Props) {
  const workspace = useWorkspace();
  const queries = useQueryClient();
  const [others, setOthers] = useState<ReadonlySet<string> | undefined>();
  const [ends, setEnds] = useState<Ends | undefined>();
  const why = reasons(person);
  const cut = others ? crossing(person.links, others) : [];
  const part = useMutation({
    mutationFn: async () => {
      for (const l of cut) await decide(workspace.name, profile.name, entity, { kind: "unlink", a: l.from, b: l.to });
      await runProfiles(workspace.name, profile.name);
    },
    onSuccess: () => setOthers(undefined),
    onSettled: () => queries.invalidateQueries({ queryKey: keys.profiles(workspace.name) }),
  });
  const partCommands = [
    ...cut.map((l) =>
      decisionCommand({
        workspace: workspace.name,
        profile: profile.name,
        entity,
        decision: { kind: "unlink", a: l.from, b: l.to },
      }),
    ),
    `weir profiles run --workspace ${quoted(workspace.name)} --profiles ${quoted(profile.name)}`,
  ].join("\n");
  const toggle = (id: string) =>
    setOthers((now) => {
      const next = new Set(now);
      if (!next.delete(id)) next.add(id);
      return next;
    });
  const ask = (to: string) => {
    const first = person.identifiers[0];
    if (first) setEnds([idOf(first), to]);
    requestAnimationFrame(() => document.getElementById("why")?.focus());
  };
  return (
    <div className="space-y-5">
      <Why person={person} profile={profile} entity={entity} ends={ends} onChange={setEnds} />
      <div className="overflow-x-auto rounded-xl border border-line bg-card shadow-xs">
        <table className="w-full text-left text-sm">
          <caption className="sr-only">Identifiers</caption>
          <thead className="text-xs text-soft">
            <tr>
              {others ? (
                <th scope="col" className="px-4 py-2 font-medium">
                  Another's
                </th>
              ) : null}
              <th scope="col" className="px-4 py-2 font-medium">
                Identifier
              </th>
              <th scope="col" className="px-4 py-2 font-medium">
                Why
              </th>
              <th scope="col" className="px-4 py-2 font-medium max-md:hidden">
                Since
              </th>
            </tr>
          </thead>
          <tbody>
            {person.identifiers.map((i) => {
              const id = idOf(i);
              const link = why.get(id);
              return (
                <tr key={id} className="border-t border-line">
                  {others ? (
                    <td className="px-4 py-2">
                      <input
                        type="checkbox"
                        aria-label={`${id} is another customer's`}
                        checked={others.has(id)}
                        onChange={() => toggle(id)}
                        className="size-4 accent-accent"
                      />
                    </td>
                  ) : null}
                  <td className="px-4 py-2">
                    <span className="text-soft">{plain(i.type)}</span> <span className="break-all">{i.value}</span>
                  </td>
                  <td className="px-4 py-2 text-soft">
                    {link ? (
                      <>
                        seen with {link.from.replace(":", " ")}
                        {seen(link.firstSeen) ? (
                          <>
                            {" "}
                            <When at={link.firstSeen} />
                          </>
                        ) : (
                          ", as somebody decided"
                        )}{" "}
                        <button
                          type="button"
                          onClick={() => ask(id)}
                          className="text-accent underline decoration-accent/40 underline-offset-2 hover:decoration-accent"
                        >
                          Show how <span className="sr-only">{id} is this customer's</span>
                        </button>
                      </>
                    ) : (
                      "the first that was seen"
                    )}
                  </td>
                  <td className="px-4 py-2 text-soft max-md:hidden">
                    <When at={i.firstSeen} />
                  </td>
                </tr>
              );
            })}
          </tbody>
        </table>
      </div>
      {person.truncated ? (
        <p className="text-sm text-soft">There are more; a customer with so many is most often several people.</p>
      ) : null}
      {others === undefined ? (
        <Button
          disabled={person.identifiers.length < 2 || person.truncated}
          onClick={() => setOthers(new Set<string>())}
        >
          These are two people…
        </Button>
      ) : (
        <Parting person={person} others={others} cut={cut.length}>
          <div className="flex flex-wrap gap-2">
            <Button look="strong" disabled={cut.length === 0 || part.isPending} onClick={() => part.mutate()}>
              {part.isPending ? "Parting…" : "Make them two customers"}
            </Button>
            <Button onClick={() => setOthers(undefined)}>Keep them one</Button>
          </div>
        </Parting>
      )}
      {part.error ? <PlaneTrouble error={part.error} command={partCommands} onRetry={() => part.mutate()} /> : null}
      {part.isSuccess && others === undefined ? (
        <Notice tone="calm" title="It is decided. The build that has begun parts them." />
      ) : null}
      <Decisions person={person} profile={profile} entity={entity} />
    </div>
  );
}

/** Links that somebody made were seen at no time. */
function seen(at: string): boolean {
  return !at.startsWith("0001-");
}

/** What would become of a customer, before anything does. */
function Parting({
  person,
  others,
  cut,
  children,
}: {
  person: Person;
  others: ReadonlySet<string>;
  cut: number;
  children: React.ReactNode;
}) {
  const parts = groups(person, crossing(person.links, others));
  return (
    <section aria-label="What would change" className="max-w-2xl space-y-3 rounded-xl border border-line p-4 text-sm">
      {cut === 0 ? (
        <p>Mark the identifiers that are another person's.</p>
      ) : (
        <>
          <p>
            {cut === 1 ? "One link no longer counts" : `${cut} links no longer count`}, and these become {parts.length}{" "}
            customers:
          </p>
          <ol className="space-y-1">
            {parts.map((g) => (
              <li key={g.join(" ")} className="rounded-lg bg-sunken px-3 py-1.5 break-all">
                {g.map((id) => id.replace(":", " ")).join(", ")}
              </li>
            ))}
          </ol>
          <p className="text-soft">Rows seen later cannot join them by these links again. You can take it back.</p>
        </>
      )}
      {children}
    </section>
  );
}

const said: Record<Decision["kind"], (d: Decision) => string> = {
  block: (d) => `${d.a} is nobody's`,
  link: (d) => `${d.a} and ${d.b ?? ""} are one customer's`,
  unlink: (d) => `${d.a} and ${d.b ?? ""} are not joined by being seen together`,
};

/** What people decided about a customer's identifiers, each with a way back. */
function Decisions({ person, profile, entity }: Props) {
  const { name: workspace } = useWorkspace();
  if (person.decisions.length === 0) return null;
  return (
    <section aria-labelledby="decided" className="space-y-2">
      <h2 id="decided" className="text-base font-semibold">
        What was decided
      </h2>
      <ul className="space-y-2 text-sm">
        {person.decisions.map((d) => (
          <li key={`${d.kind} ${d.a} ${d.b}`} className="flex flex-wrap items-center gap-3">
            <span>{said[d.kind](d)}</span>
            <Act
              label="Take back"
              of={said[d.kind](d)}
              act={() => decide(workspace, profile.name, entity, { ...d, undo: true })}
              command={decisionCommand({ workspace, profile: profile.name, entity, decision: { ...d, undo: true } })}
              changed={keys.profiles(workspace)}
            />
          </li>
        ))}
      </ul>
    </section>
  );
}
