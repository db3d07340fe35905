import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { roles as allRoles } from "../../api/roles";
import { members, removeMember } from "../../api/tenants";
import { useHere, useWorkspace } from "../../frame/place";
import { Badge } from "../../parts/badge";
import { Button } from "../../parts/button";
import { Empty } from "../../parts/empty";
import { Section } from "../../parts/section";
import { Table } from "../../parts/table";
import { keys } from "../../queries";
import { Loaded } from "../loaded";
import { Trouble } from "../trouble";
import { Giving } from "./giving";
import { mayHere, rightsOn, why } from "./rights";

type Props = {
  /** What the object is called in a sentence, such as "destination". */
  kind: string;
  name: string;
  /** Its identifier; without one no role is given on it alone. */
  id: string | undefined;
  /** Why no role is given on it alone, or what such a role is about. */
  note?: string;
};

/** Who may do what with one object and why, and roles on this object alone. */
export function AccessOf({ kind, name, id, note }: Props) {
  const { role } = useHere();
  const workspace = useWorkspace();
  const queries = useQueryClient();
  const all = useQuery({ queryKey: keys.members(), queryFn: ({ signal }) => members(signal) });
  const roles = useQuery({ queryKey: keys.roles(), queryFn: ({ signal }) => allRoles(signal) });
  const take = useMutation({
    mutationFn: (member: string) => removeMember(member, workspace.name, id),
    onSettled: () => queries.invalidateQueries({ queryKey: keys.members() }),
  });
  const gives = id !== undefined && (role === "owner" || role === "admin");
  return (
    <div className="space-y-8">
      <Section title="Who may do what" hint={`with the ${kind} ${name}, and why`}>
        {take.error ? <Trouble error={take.error} /> : null}
        <Loaded query={all} what="who may do what here">
          {(list) => (
            <Table
              label="Access"
              rows={rightsOn(list, workspace.name, id)}
              keyOf={(r) => r.member.id}
              text={(r) => `${r.member.name} ${r.grants.map((g) => g.role).join(" ")}`}
              empty={
                <Empty title="Nobody of the organization has a role here.">
                  <p>An operator of the installation sees it nevertheless.</p>
                </Empty>
              }
              columns={[
                {
                  title: "Name",
                  by: (r) => r.member.name.toLowerCase(),
                  cell: (r) => (
                    <span className="flex flex-wrap items-center gap-2">
                      <span className="font-medium max-md:break-all">{r.member.name}</span>
                      {r.member.kind === "service" ? <Badge tone="quiet">Service account</Badge> : null}
                    </span>
                  ),
                },
                {
                  title: "Because of",
                  cell: (r) => (
                    <>
                      <ul className="space-y-0.5">
                        {r.grants.map((g) => (
                          <li key={`${g.workspace ?? ""} ${g.object ?? ""}`}>
                            <span className="font-medium">{g.role}</span>{" "}
                            <span className="text-soft">{why(g, kind)}</span>
                          </li>
                        ))}
                      </ul>
                      {roles.data ? (
                        <p className="pt-1 text-soft md:hidden">May {mayHere(r.grants, roles.data)}</p>
                      ) : null}
                    </>
                  ),
                },
                {
                  title: "May",
                  wide: true,
                  cell: (r) => <span className="text-soft">{roles.data ? mayHere(r.grants, roles.data) : "…"}</span>,
                },
                {
                  title: "",
                  right: true,
                  cell: (r) =>
                    gives && r.grants.some((g) => g.object) ? (
                      <Button
                        onClick={() => take.mutate(r.member.id)}
                        disabled={take.isPending}
                        aria-label={`Take away the role of ${r.member.name} on this ${kind}`}
                      >
                        <span className="whitespace-nowrap">Take away</span>
                      </Button>
                    ) : null,
                },
              ]}
            />
          )}
        </Loaded>
      </Section>
      {note ? <p className="max-w-prose text-sm text-soft">{note}</p> : null}
      {gives && all.data ? <Giving kind={kind} id={id} members={all.data} /> : null}
    </div>
  );
}
