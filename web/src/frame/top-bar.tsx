import type { Plane } from "../api/client";
import { alarmText } from "../pages/workspace/alarms";
import { Badge } from "../parts/badge";
import { Icon } from "../parts/icon";
import { Link } from "../parts/link";
import { Mark } from "../parts/mark";
import { Menu } from "./menu";
import { type Here, inOrganization, type Place } from "./place";
import { UserMenu } from "./user-menu";

type Props = { here: Here; place: Place; onMenu: () => void; onSwitch: () => void; onFind: () => void };

/** The bar above every page: where one is, what runs, what is wrong, who one is. */
export function TopBar({ here, place, onMenu, onSwitch, onFind }: Props) {
  const { workspace } = here;
  return (
    <header className="sticky top-0 z-20 flex h-12 items-center gap-2 border-b border-line bg-card px-3">
      <button
        type="button"
        onClick={onMenu}
        aria-label="Open the menu"
        className="inline-flex size-8 items-center justify-center rounded-lg text-soft hover:bg-sunken hover:text-ink sm:hidden"
      >
        <Icon name="menu" large />
      </button>
      <Link href="/" look="plain" aria-label="Weir, to the first page" className="flex px-1 max-sm:hidden">
        <Mark />
      </Link>
      <button
        type="button"
        onClick={onSwitch}
        className="inline-flex h-8 min-w-0 items-center gap-1.5 rounded-lg px-2 text-sm hover:bg-sunken sm:ml-2"
      >
        <span className="sr-only">Switch workspace, now at </span>
        {place.organization ? <span className="truncate text-soft max-md:hidden">{place.organization} /</span> : null}
        <span className="truncate font-medium">{workspace?.name ?? (place.workspace || "Choose a workspace")}</span>
        <span className="text-soft">
          <Icon name="down" />
        </span>
      </button>
      {workspace ? (
        <span className="flex items-center gap-2 max-lg:hidden">
          <span className="rounded-md bg-sunken px-1.5 py-0.5 text-xs text-soft">{workspace.region}</span>
          <Link
            href={inOrganization(place.organization, "workspaces", workspace.name, "history")}
            look="plain"
            className="flex"
          >
            <RevisionBadge state={workspace.state} number={workspace.number} />
          </Link>
        </span>
      ) : null}
      <div className="ml-auto flex items-center gap-1">
        <button
          type="button"
          onClick={onFind}
          title="Find anything (Ctrl K)"
          className="inline-flex h-8 items-center gap-2 rounded-lg border border-line px-2.5 text-sm text-soft hover:border-edge hover:text-ink"
        >
          <Icon name="search" />
          <span className="max-md:sr-only">Find</span>
          <kbd className="text-xs max-md:hidden">Ctrl K</kbd>
        </button>
        <Alarms planes={here.all.planes} organization={place.organization} />
        <UserMenu me={here.me} />
      </div>
    </header>
  );
}

export function RevisionBadge({ state, number }: { state: string; number: number }) {
  if (state === "applied") return <Badge tone="good">Revision {number} is running</Badge>;
  if (state === "rejected") return <Badge tone="bad">Revision {number} was rejected</Badge>;
  if (state === "pending") return <Badge tone="warn">Revision {number} is on its way</Badge>;
  return <Badge tone="quiet">No revision yet</Badge>;
}

function Alarms({ planes, organization }: { planes: Plane[]; organization: string }) {
  const all = planes.flatMap((p) => p.alarms.map((a) => ({ ...a, plane: p.name })));
  return (
    <Menu
      name={all.length === 0 ? "No alarms" : `${all.length} ${all.length === 1 ? "alarm" : "alarms"}`}
      label={
        <>
          <Icon name="bell" large />
          {all.length > 0 ? (
            <span className="absolute top-0 right-0 rounded-full bg-warn-wash px-1 text-[11px] leading-4 font-medium text-warn">
              {all.length}
            </span>
          ) : null}
        </>
      }
    >
      {(close) => (
        <div className="space-y-2 p-1">
          {all.length === 0 ? <p className="text-soft">Nothing raises an alarm.</p> : null}
          <ul className="max-h-80 space-y-2 overflow-y-auto">
            {all.map((a) => (
              <li
                key={`${a.plane} ${a.code} ${a.workspace ?? ""} ${a.reason ?? ""}`}
                className="rounded-lg bg-warn-wash px-2.5 py-2"
              >
                <span className="font-medium">{a.plane}: </span>
                {alarmText(a.code)}
              </li>
            ))}
          </ul>
          <Link href={inOrganization(organization, "alerts")} onClick={close}>
            All alerts
          </Link>
        </div>
      )}
    </Menu>
  );
}
