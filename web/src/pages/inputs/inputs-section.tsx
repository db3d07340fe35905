import type { Configured } from "../../draft/configured";
import { useWorkspace } from "../../frame/place";
import { Icon } from "../../parts/icon";
import { Link } from "../../parts/link";
import { Section } from "../../parts/section";
import { Table } from "../../parts/table";
import { MemberBadge } from "../profiles/member-badge";
import { type Profile, useColumns } from "../profiles/use-set";
import { usesOfInput } from "../profiles/uses";
import { plain } from "../profiles/words";
import { type Input, typesOf } from "./form";

type Props = { configured: Configured; profile: Profile; query: string };

/** Which rows feed profiles, and what their columns are. */
export function InputsSection({ configured, profile, query }: Props) {
  const workspace = useWorkspace();
  const columns = useColumns(configured.published.profiles?.find((p) => p.name === profile.name)); // the plane knows no draft
  const types = typesOf(profile.entities);
  return (
    <Section title="Inputs" hint="The rows that say who customers are, and what features and audiences count.">
      <div className="space-y-3">
        <Table
          label="Inputs"
          rows={profile.inputs}
          keyOf={(i) => i.name}
          empty={null}
          columns={[
            {
              title: "Name",
              by: (i) => i.name,
              cell: (i) => (
                <span className="flex flex-wrap items-center gap-2">
                  <Link href={`${workspace.path("identity", "inputs", i.name)}${query}`} look="name">
                    {i.name}
                  </Link>
                  <MemberBadge configured={configured} profile={profile} list="inputs" name={i.name} />
                </span>
              ),
            },
            { title: "Rows", cell: (i) => <span className="break-all">{rowsText(i)}</span> },
            {
              title: "Identifiers",
              wide: true,
              cell: (i) => {
                const has = columns.data?.find((c) => c.name === i.name)?.columns;
                if (has?.length === 0) return <span className="text-warn">no rows in the warehouse yet</span>;
                return <span className="text-soft">{idsText(i, types, has)}</span>;
              },
            },
            { title: "When", wide: true, cell: (i) => <span className="text-soft">{i.at ?? "timestamp"}</span> },
            { title: "Used by", right: true, cell: (i) => usesOfInput(profile, i.name).length },
          ]}
        />
        <Link href={`${workspace.path("identity", "inputs", "new")}${query}`} look="button">
          <Icon name="plus" />
          Add an input
        </Link>
      </div>
    </Section>
  );
}

function rowsText(i: Input): string {
  if (i.events === "*") return "all events";
  return i.events !== undefined ? `the event ${i.events}` : (i.from ?? "");
}

function idsText(i: Input, types: readonly string[], has: readonly { name: string }[] | undefined): string {
  if (i.ids)
    return Object.entries(i.ids)
      .map(([type, column]) => (type === column ? plain(type) : `${plain(type)} in ${String(column)}`))
      .join(", ");
  const own = has ? types.filter((t) => has.some((c) => c.name === t)) : types;
  return own.length > 0 ? own.map(plain).join(", ") : "none of its columns";
}
