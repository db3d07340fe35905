import { type UseQueryResult, useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import type { ReactNode } from "react";
import {
  type Profiles,
  type Pull,
  profiles,
  pullNow,
  pulls,
  runProfiles,
  runSync,
  type Sync,
  syncs,
} from "../../api/customers";
import { useWorkspace } from "../../frame/place";
import { Badge, type Tone } from "../../parts/badge";
import { Button } from "../../parts/button";
import { Empty } from "../../parts/empty";
import { Page } from "../../parts/page";
import { Section } from "../../parts/section";
import { type Column, Table } from "../../parts/table";
import { Waiting } from "../../parts/waiting";
import { When } from "../../parts/when";
import { keys } from "../../queries";
import { PlaneTrouble, quoted } from "../plane-trouble";
import { Trouble } from "../trouble";

const refreshEvery = 5000; // ms

const tones: Record<string, Tone> = {
  waiting: "good",
  published: "good",
  healthy: "good",
  warning: "warn",
  held: "warn",
  limited: "warn",
  failing: "bad",
  failed: "bad",
};

function State({ state, code }: { state: string; code?: string | undefined }) {
  return (
    <span className="inline-flex flex-wrap items-center gap-2">
      <Badge tone={tones[state] ?? "quiet"}>
        {state === "waiting" ? "Up to date" : state.charAt(0).toUpperCase() + state.slice(1)}
      </Badge>
      {code ? <code className="text-xs text-soft">{code}</code> : null}
    </span>
  );
}

/** Rows that come from other systems, the persons that are made of them, and rows that go into tools. */
export function CustomersPage() {
  const { name } = useWorkspace();
  const list = { refetchInterval: refreshEvery };
  const pulled = useQuery({ queryKey: keys.pulls(name), queryFn: ({ signal }) => pulls(name, signal), ...list });
  const persons = useQuery({ queryKey: keys.profiles(name), queryFn: ({ signal }) => profiles(name, signal), ...list });
  const sent = useQuery({ queryKey: keys.syncs(name), queryFn: ({ signal }) => syncs(name, signal), ...list });
  return (
    <Page
      title="Customers"
      of={name}
      hint="Rows that are pulled from other systems, the persons that profiles make of them, and the syncs that keep rows in tools."
    >
      <Part title="Pulled sources" of={pulled} command={`weir pull status --workspace ${quoted(name)}`}>
        {(rows) => (
          <Table
            label="Pulled sources"
            rows={rows}
            keyOf={(p) => `${p.source}/${p.stream}`}
            columns={pullColumns(name)}
            empty={
              <Empty title="No source is pulled.">
                <p>
                  A source of a kind such as Zendesk reads tickets, users and organizations by itself. Add one to the
                  workspace's file.
                </p>
              </Empty>
            }
          />
        )}
      </Part>
      <Part title="Profiles" of={persons} command={`weir profiles status --workspace ${quoted(name)}`}>
        {(rows) => (
          <Table
            label="Profiles"
            rows={rows}
            keyOf={(p) => p.name}
            columns={profileColumns(name)}
            empty={
              <Empty title="No profiles.">
                <p>
                  Profiles make one row for each customer out of ids, e-mails and devices. Add them to the workspace's
                  file.
                </p>
              </Empty>
            }
          />
        )}
      </Part>
      <Part title="Syncs" of={sent} command={`weir sync list --workspace ${quoted(name)}`}>
        {(rows) => (
          <Table
            label="Syncs"
            rows={rows}
            keyOf={(s) => s.name}
            columns={syncColumns(name)}
            empty={
              <Empty title="No sync.">
                <p>
                  A sync keeps the rows of a table or query in a tool, and sends what changed. Add one to the
                  workspace's file.
                </p>
              </Empty>
            }
          />
        )}
      </Part>
    </Page>
  );
}

function Part<T>({
  title,
  of,
  command,
  children,
}: {
  title: string;
  of: UseQueryResult<T[]>;
  command: string;
  children: (rows: T[]) => ReactNode;
}) {
  return (
    <Section title={title}>
      {of.isPending ? <Waiting what={title.toLowerCase()} /> : null}
      {of.error ? <PlaneTrouble error={of.error} command={command} onRetry={() => of.refetch()} /> : null}
      {of.data ? children(of.data) : null}
    </Section>
  );
}

/** A button that begins something, and says why it does not. */
function Now({
  label,
  of,
  act,
  changed,
}: {
  label: string;
  of: string;
  act: () => Promise<void>;
  changed: readonly unknown[];
}) {
  const client = useQueryClient();
  const begin = useMutation({ mutationFn: act, onSuccess: () => client.invalidateQueries({ queryKey: changed }) });
  return (
    <div className="space-y-2 whitespace-nowrap">
      <Button disabled={begin.isPending} onClick={() => begin.mutate()}>
        {label} <span className="sr-only">{of}</span>
      </Button>
      {begin.error ? <Trouble error={begin.error} /> : null}
    </div>
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
      <Now
        label="Pull now"
        of={`${p.source} ${p.stream}`}
        act={() => pullNow(workspace, p)}
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
      <Now label="Run now" of={p.name} act={() => runProfiles(workspace, p.name)} changed={keys.profiles(workspace)} />
    ),
    right: true,
  },
];

const sum = (p: Profiles, what: "persons" | "changed") =>
  Object.values(p.last?.built ?? {}).reduce((n, of) => n + of[what], 0);

const syncColumns = (workspace: string): Column<Sync>[] => [
  { title: "Sync", cell: (s) => s.name, by: (s) => s.name },
  { title: "From", cell: (s) => s.model, by: (s) => s.model, wide: true },
  { title: "To", cell: (s) => `${s.destination}, ${s.object}`, by: (s) => s.destination },
  { title: "State", cell: (s) => <State state={s.state} code={s.run?.code} /> },
  { title: "Taken", cell: (s) => number.format(s.run?.accepted ?? 0), right: true, wide: true },
  {
    title: "Refused",
    cell: (s) => number.format((s.run?.rejected ?? 0) + (s.run?.invalid ?? 0)),
    right: true,
    wide: true,
  },
  { title: "Last run", cell: (s) => when(s.run?.began), wide: true },
  {
    title: "",
    cell: (s) => (
      <Now label="Run now" of={s.name} act={() => runSync(workspace, s.name)} changed={keys.syncs(workspace)} />
    ),
    right: true,
  },
];
