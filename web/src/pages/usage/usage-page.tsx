import type { Status } from "../../api/client";
import { inOrganization, useHere } from "../../frame/place";
import { useWholeStatus } from "../../frame/workspaces";
import { Empty } from "../../parts/empty";
import { Link } from "../../parts/link";
import { Page } from "../../parts/page";
import { Section } from "../../parts/section";
import { Table } from "../../parts/table";
import { Loaded } from "../loaded";
import { Stats } from "../object/stats";

const whole = new Intl.NumberFormat();

type Row = { workspace: string; source: string; destination: string; taken: number; delivered: number; lost: number };

/** How many events the workspaces took and delivered, as their planes count since their first day. */
export function UsagePage() {
  const { organization, me } = useHere();
  const all = useWholeStatus();
  return (
    <Page
      title="Usage"
      of={organization || me.organizations?.[0]?.organization || "Organization"}
      hint="Events since the first day of each data plane, as it counts them. No history by day is kept."
    >
      <Loaded query={all} what="the numbers of events">
        {(all) => <Counted rows={rowsOf(all)} />}
      </Loaded>
    </Page>
  );
}

function Counted({ rows }: { rows: Row[] }) {
  const { organization } = useHere();
  const sources = rows.filter((r) => r.destination === "");
  const out = rows.filter((r) => r.destination !== "");
  const sum = (list: Row[], of: "taken" | "delivered") => whole.format(list.reduce((n, r) => n + r[of], 0));
  const number = (n: number) => whole.format(n);
  const at = (r: Row, ...parts: string[]) => inOrganization(organization, "workspaces", r.workspace, ...parts);
  if (rows.length === 0)
    return (
      <Empty title="No data plane has counted anything yet.">
        <p>Numbers stand here once events come.</p>
      </Empty>
    );
  return (
    <>
      <Stats
        stats={[
          { title: "Taken", value: sum(sources, "taken") },
          { title: "Delivered", value: sum(out, "delivered") },
        ]}
      />
      <Section title="Sources">
        <Table
          label="Usage by source"
          rows={sources}
          keyOf={(r) => `${r.workspace} ${r.source}`}
          text={(r) => `${r.workspace} ${r.source}`}
          empty={<p className="text-sm text-soft">None.</p>}
          columns={[
            {
              title: "Workspace",
              by: (r) => r.workspace,
              cell: (r) => (
                <Link look="name" href={at(r)}>
                  {r.workspace}
                </Link>
              ),
            },
            {
              title: "Source",
              by: (r) => r.source,
              cell: (r) => (
                <Link look="name" href={at(r, "sources", r.source)}>
                  {r.source}
                </Link>
              ),
            },
            { title: "Taken", right: true, by: (r) => r.taken, cell: (r) => number(r.taken) },
          ]}
        />
      </Section>
      <Section title="Destinations">
        <Table
          label="Usage by destination"
          rows={out}
          keyOf={(r) => `${r.workspace} ${r.source} ${r.destination}`}
          text={(r) => `${r.workspace} ${r.source} ${r.destination}`}
          empty={<p className="text-sm text-soft">None.</p>}
          columns={[
            { title: "Workspace", by: (r) => r.workspace, cell: (r) => r.workspace },
            {
              title: "Connection",
              by: (r) => r.destination,
              cell: (r) => (
                <Link look="name" href={at(r, "connections", r.source, r.destination)}>
                  {r.source} → {r.destination}
                </Link>
              ),
            },
            { title: "Delivered", right: true, by: (r) => r.delivered, cell: (r) => number(r.delivered) },
            { title: "Failed", right: true, wide: true, by: (r) => r.lost, cell: (r) => number(r.lost) },
          ]}
        />
      </Section>
    </>
  );
}

/** The counts of planes; what is of a plane that ran a workspace before is added. */
function rowsOf(all: Status): Row[] {
  const rows = new Map<string, Row>();
  const seen = all.workspaces.flatMap((w) => [w, ...w.sources, ...w.destinations]);
  const names = new Map(seen.map((o) => [o.id, o.name]));
  for (const c of all.planes.flatMap((p) => p.counts)) {
    if (!names.has(c.workspace)) continue; // of one that was removed
    const key = JSON.stringify([c.workspace, c.source, c.destination ?? ""]);
    const row = rows.get(key) ?? {
      workspace: names.get(c.workspace) ?? c.workspace,
      source: names.get(c.source) ?? c.source,
      destination: c.destination ? (names.get(c.destination) ?? c.destination) : "",
      taken: 0,
      delivered: 0,
      lost: 0,
    };
    row.taken += c.accepted ?? 0;
    row.delivered += c.delivered ?? 0;
    row.lost += c.dead ?? 0;
    rows.set(key, row);
  }
  return [...rows.values()];
}
