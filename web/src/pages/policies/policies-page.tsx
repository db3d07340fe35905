import { useQuery } from "@tanstack/react-query";
import { policies } from "../../api/policies";
import { inOrganization, useHere } from "../../frame/place";
import { actorText } from "../../parts/actor";
import { Badge } from "../../parts/badge";
import { Empty } from "../../parts/empty";
import { Icon } from "../../parts/icon";
import { Link } from "../../parts/link";
import { Page } from "../../parts/page";
import { Card, Section } from "../../parts/section";
import { Table } from "../../parts/table";
import { When } from "../../parts/when";
import { keys } from "../../queries";
import { Loaded } from "../loaded";

/** What every change of a configuration in the organization is held to. */
export function PoliciesPage() {
  const { organization, me, role } = useHere();
  const all = useQuery({ queryKey: keys.policies(), queryFn: ({ signal }) => policies(signal) });
  const add =
    role === "owner" ? (
      <Link look="strong" href={inOrganization(organization, "new-policy")}>
        <Icon name="plus" />
        New policy
      </Link>
    ) : null;
  return (
    <Page
      title="Policies"
      of={organization || me.organizations?.[0]?.organization || "Organization"}
      hint="What every change of a configuration is held to. A policy can only deny, or ask for another person."
      actions={add}
    >
      <Loaded query={all} what="the policies">
        {(list) => (
          <>
            <Table
              label="Policies"
              rows={list.policies}
              keyOf={(p) => p.name}
              text={(p) => `${p.name} ${p.language} ${p.updatedBy}`}
              empty={
                <Empty title="The organization has no policy of its own.">
                  <p>
                    Say which kinds of destinations a region takes, which fields have to be masked, and which changes
                    need another person: by a form, or in Rego.
                  </p>
                  {add}
                </Empty>
              }
              columns={[
                {
                  title: "Name",
                  by: (p) => p.name,
                  cell: (p) => (
                    <Link look="name" href={inOrganization(organization, "policies", p.name)}>
                      {p.name}
                    </Link>
                  ),
                },
                { title: "Written as", cell: (p) => (p.language === "rego" ? "Rego" : "Rules") },
                {
                  title: "State",
                  cell: (p) => (p.enabled ? <Badge tone="good">Asked</Badge> : <Badge tone="quiet">Not asked</Badge>),
                },
                {
                  title: "Changed by",
                  wide: true,
                  cell: (p) => <span className="break-all">{actorText(p.updatedBy)}</span>,
                },
                { title: "Changed", wide: true, by: (p) => p.updatedAt, cell: (p) => <When at={p.updatedAt} /> },
              ]}
            />
            {list.operator.length > 0 ? (
              <Section title="Of the installation" hint="which its operator set for all organizations">
                <Card>
                  <ul className="divide-y divide-line text-sm">
                    {list.operator.map((name) => (
                      <li key={name} className="px-4 py-2.5">
                        {name}
                      </li>
                    ))}
                  </ul>
                </Card>
              </Section>
            ) : null}
          </>
        )}
      </Loaded>
    </Page>
  );
}
