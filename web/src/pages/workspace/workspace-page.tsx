import { useQuery } from "@tanstack/react-query";
import { type Me, type Status, status, type Workspace } from "../../api/client";
import { Notice } from "../../parts/notice";
import { usePath } from "../../parts/path";
import { ago } from "../../parts/time";
import { Waiting } from "../../parts/waiting";
import { keys } from "../../queries";
import { Trouble } from "../trouble";
import { Destinations } from "./destinations";
import { FirstWorkspace } from "./first-workspace";
import { Header } from "./header";
import { Planes } from "./planes";
import { Revision } from "./revision";
import { Sources } from "./sources";

const refreshEvery = 3000; // ms

/** One workspace: where its events come from, where they go, and the planes that carry them. */
export function WorkspacePage({ me }: { me: Me }) {
  const all = useQuery({
    queryKey: keys.status,
    queryFn: ({ signal }) => status(signal),
    refetchInterval: refreshEvery,
  });
  const wanted = nameIn(usePath());
  const workspaces = all.data?.workspaces ?? [];
  const chosen = wanted === undefined ? workspaces[0] : workspaces.find((w) => w.name === wanted);
  return (
    <>
      <Header me={me} workspaces={workspaces} chosen={chosen?.name} />
      <main className="mx-auto max-w-5xl space-y-10 px-4 pt-8 pb-20">
        {all.data ? null : <h1 className="sr-only">Workspaces</h1>}
        {all.error ? <Trouble error={all.error} onRetry={() => all.refetch()} /> : null}
        {all.error && all.data ? <Stale at={new Date(all.dataUpdatedAt)} /> : null}
        {all.data ? <Content all={all.data} chosen={chosen} wanted={wanted} /> : null}
        {all.isPending ? <Waiting what="the workspaces" /> : null}
      </main>
    </>
  );
}

function Content({ all, chosen, wanted }: { all: Status; chosen: Workspace | undefined; wanted: string | undefined }) {
  const now = new Date();
  const planes = <Planes planes={all.planes} chosen={chosen} now={now} />;
  if (!chosen) {
    return (
      <>
        {wanted === undefined || all.workspaces.length === 0 ? <FirstWorkspace /> : <Unknown name={wanted} />}
        {planes}
      </>
    );
  }
  return (
    <>
      <Revision workspace={chosen} plane={all.planes.find((p) => p.id === chosen.plane)} now={now} />
      <Sources key={chosen.id} workspace={chosen} />
      <Destinations workspace={chosen} />
      {planes}
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

/** The workspace that a path names. */
function nameIn(path: string): string | undefined {
  const found = /^\/workspaces\/([^/]+)\/?$/.exec(path)?.[1];
  if (found === undefined) return undefined;
  try {
    return decodeURIComponent(found);
  } catch {
    return found;
  }
}
