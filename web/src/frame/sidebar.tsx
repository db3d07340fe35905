import { useQuery } from "@tanstack/react-query";
import { changeRequests } from "../api/changes";
import { Icon } from "../parts/icon";
import { Link } from "../parts/link";
import { keys } from "../queries";
import { type Entry, entries } from "./pages";
import { inOrganization, type Place } from "./place";

const groups: { of: Entry["of"]; title: string }[] = [
  { of: "workspace", title: "Workspace" },
  { of: "organization", title: "Organization" },
  { of: "installation", title: "Installation" },
];

type Props = {
  place: Place;
  /** The workspace that links lead to; absent where there is none, "" while none is known. */
  workspace: string | undefined;
  /** Whether words stand beside the drawings at every width. */
  open: boolean;
  onFollow: () => void;
};

/** The pages of the console. */
export function Sidebar({ place, workspace, open, onFollow }: Props) {
  const waiting = useWaiting();
  const words = open ? "" : "max-[1100px]:sr-only";
  return (
    <nav aria-label="Pages" className="space-y-5 px-2.5 py-3">
      {groups.map((g) => {
        const mine = entries.filter((e) => e.of === g.of && (g.of !== "workspace" || workspace !== undefined));
        if (mine.length === 0) return null;
        return (
          <div key={g.of}>
            <p className={`px-2.5 pb-1 text-[11px] font-medium tracking-wide text-soft uppercase ${words}`}>
              {g.title}
            </p>
            <ul className="space-y-0.5">
              {mine.map((e) => (
                <li key={e.page}>
                  <Link
                    look="plain"
                    href={hrefOf(e, place, workspace)}
                    onClick={onFollow}
                    title={e.title}
                    aria-current={isAt(e, place) ? "page" : undefined}
                    className={`flex h-8 items-center gap-2.5 rounded-lg px-2.5 text-sm text-soft transition-colors hover:bg-sunken hover:text-ink aria-[current=page]:bg-accent-wash aria-[current=page]:font-medium aria-[current=page]:text-accent ${open ? "" : "max-[1100px]:justify-center max-[1100px]:px-0"}`}
                  >
                    <Icon name={e.icon} />
                    <span className={words}>{e.title}</span>
                    {e.page === "changes" && waiting > 0 ? (
                      <span className="ml-auto rounded-full bg-warn-wash px-1.5 text-xs font-medium text-warn max-[1100px]:ml-0">
                        {waiting}
                        <span className="sr-only"> waiting</span>
                      </span>
                    ) : null}
                  </Link>
                </li>
              ))}
            </ul>
          </div>
        );
      })}
    </nav>
  );
}

const lookEvery = 60_000; // ms; notices tell sooner

/** How many changes wait for another person, as far as the first page of them shows. */
function useWaiting(): number {
  const filter = { state: "waiting" } as const;
  const list = useQuery({
    queryKey: keys.changes(`${JSON.stringify(filter)} first`),
    queryFn: ({ signal }) => changeRequests(filter, "", signal),
    staleTime: lookEvery / 2,
    refetchInterval: lookEvery,
  });
  return list.data?.changes.length ?? 0;
}

/** The address of a page for who is at a place. */
export function hrefOf(e: Entry, place: Place, workspace: string | undefined): string {
  if (e.of === "installation") return `/${e.page}`;
  const rest = e.page === "" ? [] : [e.page];
  if (e.of === "organization") return inOrganization(place.organization, ...rest);
  if (!workspace) return inOrganization(place.organization);
  return inOrganization(place.organization, "workspaces", workspace, ...rest);
}

function isAt(e: Entry, place: Place): boolean {
  if ((e.of === "workspace") !== (place.workspace !== undefined)) return false;
  return e.page === "" ? place.page === "" : place.page === e.page || place.page.startsWith(`${e.page}/`);
}
