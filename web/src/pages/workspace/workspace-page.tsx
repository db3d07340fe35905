import { useQuery } from "@tanstack/react-query";
import { type Me, type Status, status, type Workspace } from "../../api/client";
import { useNotices } from "../../notices";
import { Notice } from "../../parts/notice";
import { usePath } from "../../parts/path";
import { ago } from "../../parts/time";
import { Waiting } from "../../parts/waiting";
import { keys } from "../../queries";
import { LivePage } from "../live/live-page";
import { type Area, placeIn } from "../place";
import { TransformationsPage } from "../transformations/transformations-page";
import { Trouble } from "../trouble";
import { WarehousesPage } from "../warehouses/warehouses-page";
import { Areas } from "./areas";
import { Destinations } from "./destinations";
import { FirstWorkspace } from "./first-workspace";
import { Header } from "./header";
import { Planes } from "./planes";
import { Revision } from "./revision";
import { Sources } from "./sources";

const refreshEvery = 3000; // ms, while nobody says what changes
const refreshLive = 60_000; // ms, while the control plane does

/** One workspace: where its events come from, where they go, and the planes that carry them. */
export function WorkspacePage({ me }: { me: Me }) {
  const live = useNotices();
  const all = useQuery({
    queryKey: keys.status,
    queryFn: ({ signal }) => status(signal),
    refetchInterval: live ? refreshLive : refreshEvery,
  });
  const { name: wanted, area } = placeIn(usePath());
  const workspaces = all.data?.workspaces ?? [];
  const chosen = wanted === undefined ? workspaces[0] : workspaces.find((w) => w.name === wanted);
  return (
    <>
      <Header me={me} workspaces={workspaces} chosen={chosen?.name} />
      <main className="mx-auto max-w-5xl space-y-10 px-4 pt-8 pb-20">
        {all.data ? null : <h1 className="sr-only">Workspaces</h1>}
        {all.error ? <Trouble error={all.error} onRetry={() => all.refetch()} /> : null}
        {all.error && all.data ? <Stale at={new Date(all.dataUpdatedAt)} /> : null}
        {all.data ? <Content all={all.data} chosen={chosen} wanted={wanted} area={area} /> : null}
        {all.isPending ? <Waiting what="the workspaces" /> : null}
      </main>
    </>
  );
}

type What = { all: Status; chosen: Workspace | undefined; wanted: string | undefined; area: Area };

function Content({ all, chosen, wanted, area }: What) {
  if (!chosen) {
    return (
      <>
        {wanted === undefined || all.workspaces.length === 0 ? <FirstWorkspace /> : <Unknown name={wanted} />}
        <Planes planes={all.planes} chosen={chosen} now={new Date()} />
      </>
    );
  }
  return (
    <>
      <Areas workspace={chosen.name} chosen={area} />
      <AreaPage key={chosen.id} all={all} workspace={chosen} area={area} />
    </>
  );
}

function AreaPage({ all, workspace, area }: { all: Status; workspace: Workspace; area: Area }) {
  if (area === "live") return <LivePage workspace={workspace} />;
  if (area === "transformations") return <TransformationsPage workspace={workspace} />;
  if (area === "warehouses") return <WarehousesPage workspace={workspace} />;
  const now = new Date();
  return (
    <>
      <Revision workspace={workspace} plane={all.planes.find((p) => p.id === workspace.plane)} now={now} />
      <Sources workspace={workspace} />
      <Destinations workspace={workspace} />
      <Planes planes={all.planes} chosen={workspace} now={now} />
    </>
  );
}

function Unknown({ name }: { name: string }) {
  return (
    <div className="space-y-4">
      <h1 className="text-2xl font-semibold tracking-tight break-all">{name}</h1>
      <Notice tone="warn" title={`There is no workspace ${name}.`}>
        <p>It may have been renamed or removed. Choose another one above.</p>
      </Notice>
    </div>
  );
}

function Stale({ at }: { at: Date }) {
  return <p className="text-sm text-soft">Below is what was known {ago(at, new Date())}.</p>;
}
