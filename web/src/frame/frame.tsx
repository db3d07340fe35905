import { useQuery, useQueryClient } from "@tanstack/react-query";
import { Outlet, useRouterState } from "@tanstack/react-router";
import { lazy, type ReactNode, Suspense, useEffect, useState } from "react";
import type { Me } from "../api/client";
import { chooseOrganization, chosenOrganization } from "../api/organization";
import { AckBar, DraftBar } from "../draft/bar";
import { useNotices } from "../notices";
import { Trouble } from "../pages/trouble";
import { Notice } from "../parts/notice";
import { go, usePath } from "../parts/path";
import { ago } from "../parts/time";
import { Waiting } from "../parts/waiting";
import { forget, remembered, statusAt } from "./known";
import { type Here, HereContext, inOrganization, type Place, placeIn } from "./place";
import { Sidebar } from "./sidebar";
import { TopBar } from "./top-bar";

const palette = () => import("./palette").then((m) => ({ default: m.Palette }));
const Palette = lazy(palette);

const refreshEvery = 3000; // ms, while nobody says what changes
const refreshLive = 60_000; // ms, while the control plane does

/** What stands around every page: the bar above, the pages at the left, the draft below. */
export function Frame({ me }: { me: Me }) {
  const live = useNotices();
  const place = placeIn(useDrawn());
  if (place.organization !== chosenOrganization()) chooseOrganization(place.organization);
  return <Organization key={place.organization} me={me} place={place} live={live} />;
}

/**
 * The path of the page that is drawn. It is behind the address while the code of the next page is on its way: until
 * then the page that is left keeps its place, and what is known of it.
 */
function useDrawn(): string {
  const path = usePath();
  const drawn = useRouterState({
    select: (s) => {
      const page = s.matches.at(-1);
      return page && !above.has(page.routeId) ? page.pathname : undefined;
    },
  });
  return drawn ?? path;
}

const above = new Set<string>(["__root__", "/alone", "/orgs/$organization"]); // routes that are no pages

function Organization({ me, place, live }: { me: Me; place: Place; live: boolean }) {
  const queries = useQueryClient();
  const all = useQuery({ ...statusAt(place, queries), refetchInterval: live ? refreshLive : refreshEvery });
  const workspace = all.data?.workspaces.find((w) => w.name === place.workspace);
  const role =
    me.organizations?.find((o) => place.organization === "" || o.organization === place.organization)?.role ?? me.role;
  const here: Here = {
    me,
    all: all.data ?? { planes: [], workspaces: [], next: "" },
    organization: place.organization,
    workspace,
    role,
  };
  return (
    <Shell here={here} place={place} pending={all.isPending}>
      {all.error ? <Trouble error={all.error} onRetry={() => all.refetch()} /> : null}
      {all.error && all.data ? (
        <p className="text-sm text-soft">Below is what was known {ago(new Date(all.dataUpdatedAt), new Date())}.</p>
      ) : null}
      {all.isPending ? (
        <>
          <h1 className="sr-only">Workspaces</h1>
          <Waiting what="the workspaces" />
        </>
      ) : null}
      {all.data && place.workspace !== undefined && !workspace ? (
        <Unknown key={place.workspace} name={place.workspace} organization={place.organization} />
      ) : null}
      {all.data && (place.workspace === undefined || workspace) ? (
        <HereContext value={here}>
          <Suspense fallback={<Waiting what="the page" />}>
            <Outlet />
          </Suspense>
        </HereContext>
      ) : null}
    </Shell>
  );
}

type ShellProps = { here: Here; place: Place; pending: boolean; children: ReactNode };

function Shell({ here, place, pending, children }: ShellProps) {
  const [drawer, setDrawer] = useState(false);
  const [finding, setFinding] = useState<"all" | "workspaces" | null>(null);
  useEffect(() => void palette(), []); // it is there before it is asked for, and not in the way of the first page
  useEffect(() => {
    const key = (e: KeyboardEvent) => {
      if (e.key.toLowerCase() !== "k" || !(e.ctrlKey || e.metaKey) || e.altKey || e.shiftKey) return;
      e.preventDefault();
      setFinding("all");
    };
    addEventListener("keydown", key);
    return () => removeEventListener("keydown", key);
  }, []);
  const going = placeIn(usePath());
  const first = going.workspace ?? remembered(place.organization) ?? here.all.workspaces[0]?.name;
  const side = (open: boolean) => (
    <Sidebar
      place={going}
      workspace={first ?? (pending ? "" : undefined)}
      open={open}
      onFollow={() => setDrawer(false)}
    />
  );
  return (
    <div className="min-h-screen">
      <a
        href="#page"
        className="sr-only focus:not-sr-only focus:absolute focus:z-50 focus:m-2 focus:rounded-lg focus:bg-card focus:px-3 focus:py-2"
      >
        Skip to the page
      </a>
      <TopBar
        here={here}
        place={place}
        onMenu={() => setDrawer(true)}
        onSwitch={() => setFinding("workspaces")}
        onFind={() => setFinding("all")}
      />
      <div className="flex">
        <aside className="sticky top-12 h-[calc(100vh-3rem)] w-56 shrink-0 overflow-y-auto border-r border-line bg-card max-[1100px]:w-14 max-sm:hidden">
          {side(false)}
        </aside>
        {drawer ? <Drawer onClose={() => setDrawer(false)}>{side(true)}</Drawer> : null}
        <main id="page" tabIndex={-1} className="min-w-0 flex-1 outline-none">
          <div className="mx-auto max-w-[1400px] space-y-6 px-4 pt-6 pb-28 sm:px-6 lg:px-8">{children}</div>
        </main>
      </div>
      {here.workspace ? <DraftBar key={here.workspace.id} here={here} workspace={here.workspace} /> : <AckBar />}
      {finding ? (
        <Suspense fallback={null}>
          <Palette here={here} place={place} only={finding} onClose={() => setFinding(null)} />
        </Suspense>
      ) : null}
    </div>
  );
}

/** The pages over the page, on narrow windows. */
function Drawer({ onClose, children }: { onClose: () => void; children: ReactNode }) {
  useEffect(() => {
    const key = (e: KeyboardEvent) => {
      if (e.key === "Escape") onClose();
    };
    addEventListener("keydown", key);
    return () => removeEventListener("keydown", key);
  }, [onClose]);
  return (
    <div className="fixed inset-0 z-40 sm:hidden">
      <button type="button" aria-label="Close the menu" onClick={onClose} className="absolute inset-0 bg-black/40" />
      <div className="absolute inset-y-0 left-0 w-64 overflow-y-auto bg-card shadow-xl">{children}</div>
    </div>
  );
}

function Unknown({ name, organization }: { name: string; organization: string }) {
  const [wasLast] = useState(() => remembered(organization) === name);
  useEffect(() => {
    if (!wasLast) return;
    forget(name);
    if (placeIn(location.pathname).page === "") go(inOrganization(organization)); // nobody asked for it by its name
  }, [name, organization, wasLast]);
  return (
    <div className="space-y-4">
      <h1 className="text-xl font-semibold tracking-tight break-all">{name}</h1>
      <Notice tone="warn" title={`There is no workspace ${name}.`}>
        <p>It may have been renamed or removed, or you have no role in it. Choose another one above.</p>
      </Notice>
    </div>
  );
}
