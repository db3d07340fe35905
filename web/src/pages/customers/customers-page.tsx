import { type UseQueryResult, useQuery } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { type Profiles, type Pull, profiles, pullNow, pulls, runProfiles } from "../../api/customers";
import { syncs } from "../../api/syncs";
import { useWorkspace } from "../../frame/place";
import { Empty } from "../../parts/empty";
import { Link } from "../../parts/link";
import { Page } from "../../parts/page";
import { Section } from "../../parts/section";
import { type Column, Table } from "../../parts/table";
import { Waiting } from "../../parts/waiting";
import { When } from "../../parts/when";
import { keys } from "../../queries";
import { Act } from "../object/act";
import { State } from "../object/state";
import { PlaneTrouble, quoted } from "../plane-trouble";
import { SyncTable } from "../syncs/sync-table";
import { FindPerson } from "./find-person";

const soon = 5_000; // ms, while something runs
const later = 20_000;

/** Rows that come from other systems, the persons that are made of them, and rows that go into tools. */
export function CustomersPage() {
  const { name, path } = useWorkspace();
  const pulled = useQuery({
    queryKey: keys.pulls(name),
    queryFn: ({ signal }) => pulls(name, signal),
    refetchInterval: (q) => pace(q.state.data?.some((p) => p.state === "running")),
  });
  const persons = useQuery({
    queryKey: keys.profiles(name),
    queryFn: ({ signal }) => profiles(name, signal),
    refetchInterval: (q) => pace(q.state.data?.some((p) => p.running || p.waits)),
  });
  const sent = useQuery({
    queryKey: keys.syncs(name),
    queryFn: ({ signal }) => syncs(name, signal),
    refetchInterval: (q) => pace(q.state.data?.some((s) => s.state === "running")),
  });
  const all = [persons, pulled, sent];
  const away = all.every((q) => q.error && !q.data) ? persons.error : null; // said once
  const above = [persons.isPending, persons.isPending || pulled.isPending]; // a part shows when what is above it has its size
  return (
    <Page
      title="Customers"
      of={name}
      hint="Find one customer by any identifier. Below: how customers are made of what sources bring, and which tools get them."
    >
      <FindPerson />
      {away ? (
        <PlaneTrouble
          error={away}
          what="what is made of customers"
          command={`weir profiles status --workspace ${quoted(name)}`}
          onRetry={() => {
            for (const q of all) void q.refetch();
          }}
        />
      ) : null}
      <Part
        title="Profiles"
        of={persons}
        said={away !== null}
        command={`weir profiles status --workspace ${quoted(name)}`}
      >
        {(rows) => (
          <Table
            label="Profiles"
            rows={rows}
            keyOf={(p) => p.name}
            columns={profileColumns(name)}
            empty={
              <Empty title="No profiles.">
                <p>Profiles make one row for each customer out of ids, e-mails and devices.</p>
                <Link href={path("identity")} look="strong">
                  Set up identity
                </Link>
              </Empty>
            }
          />
        )}
      </Part>
      <Part
        title="Pulled sources"
        of={pulled}
        said={away !== null}
        later={above[0]}
        command={`weir pull status --workspace ${quoted(name)}`}
      >
        {(rows) => (
          <Table
            label="Pulled sources"
            rows={rows}
            keyOf={(p) => `${p.source}/${p.stream}`}
            columns={pullColumns(name)}
            empty={
              <Empty title="No source is pulled.">
                <p>A source of a kind such as Zendesk reads tickets, users and organizations by itself.</p>
                <Link href={path("sources", "new")}>Add such a source</Link>
              </Empty>
            }
          />
        )}
      </Part>
      <Part
        title="Syncs"
        of={sent}
        said={away !== null}
        later={above[1]}
        command={`weir sync list --workspace ${quoted(name)}`}
      >
        {(rows) => (
          <SyncTable
            rows={rows}
            live={rows}
            empty={
              <Empty title="No sync.">
                <p>A sync keeps the rows of a table, a query or an audience in a tool, and sends what changed.</p>
                <Link href={path("syncs", "new")}>Add a sync</Link>
              </Empty>
            }
          />
        )}
      </Part>
    </Page>
  );
}

const pace = (runs: boolean | undefined) => (runs ? soon : later);

function Part<T>({
  title,
  of,
  command,
  later = false,
  said,
  children,
}: {
  title: string;
  of: UseQueryResult<T[]>;
  later?: boolean | undefined;
  /** Whether its error stands above already. */
  said: boolean;
  command: string;
  children: (rows: T[]) => ReactNode;
}) {
  if (later || said) return null;
  return (
    <Section title={title}>
      {of.isPending ? <Waiting what={title.toLowerCase()} /> : null}
      {of.error ? (
        <PlaneTrouble error={of.error} what={title.toLowerCase()} command={command} onRetry={() => of.refetch()} />
      ) : null}
      {of.data ? children(of.data) : null}
    </Section>
  );
}

const number = new Intl.NumberFormat();
const when = (at: string | null | undefined) => (at ? <When at={at} /> : "–");

const pullColumns = (workspace: string): Column<Pull>[] => [
  { title: "Source", cell: (p) => p.source, by: (p) => p.source },
  { title: "Stream", cell: (p) => p.stream, by: (p) => p.stream },
  { title: "State", cell: (p) => <State state={p.state} code={p.code} /> },
  { title: "Rows", cell: (p) => number.format(p.rows), by: (p) => p.rows, right: true },
  { title: "Last read", cell: (p) => when(p.ended), wide: true },
  {
    title: "",
    cell: (p) => (
      <Act
        label="Pull now"
        of={`${p.source} ${p.stream}`}
        act={() => pullNow(workspace, p)}
        command={`weir pull run ${quoted(p.source)} ${quoted(p.stream)} --workspace ${quoted(workspace)}`}
        changed={keys.pulls(workspace)}
      />
    ),
    right: true,
  },
];

const profileColumns = (workspace: string): Column<Profiles>[] => [
  { title: "Profiles", cell: (p) => p.name, by: (p) => p.name },
  {
    title: "State",
    cell: (p) => <State state={p.running || p.waits ? "running" : (p.last?.state ?? "pending")} code={p.last?.code} />,
  },
  { title: "Persons", cell: (p) => number.format(sum(p, "persons")), right: true },
  { title: "Changed", cell: (p) => number.format(sum(p, "changed")), right: true, wide: true },
  { title: "Last run", cell: (p) => when(p.last?.startedAt), wide: true },
  {
    title: "",
    cell: (p) => (
      <Act
        label="Run now"
        of={p.name}
        act={() => runProfiles(workspace, p.name)}
        changed={keys.profiles(workspace)}
        command={`weir profiles run --workspace ${quoted(workspace)} --profiles ${quoted(p.name)}`}
      />
    ),
    right: true,
  },
];

const sum = (p: Profiles, what: "persons" | "changed") =>
  Object.values(p.last?.built ?? {}).reduce((n, of) => n + of[what], 0);
