import type { Explained, Hop, Made } from "../../api/profiles";
import { useWorkspace } from "../../frame/place";
import { Link } from "../../parts/link";
import { fragment } from "../../parts/path";
import { When } from "../../parts/when";
import type { Profile } from "../profiles/use-set";
import { plain } from "../profiles/words";

/** Identifiers below each other, and between two of them what joins these. */
export function Chain({ found, profile }: { found: Explained; profile: Profile }) {
  if (found.person !== found.other)
    return (
      <p className="text-sm">
        These are two customers now: the first is {found.person}, the second {found.other}.
      </p>
    );
  const path = found.path ?? [];
  if (path.length === 0)
    return <p className="text-sm">No links lead from one to the other any more; the next build parts them.</p>;
  const [first] = path;
  return (
    <div className="space-y-3">
      <p className="text-sm">
        {path.length === 1 ? "They were seen together:" : `${path.length} links lead from one to the other:`}
      </p>
      <ol aria-label="The way between them" className="text-sm">
        <li>
          <Identifier id={first?.from ?? ""} />
        </li>
        {path.map((h) => (
          <li key={`${h.from} ${h.to}`}>
            <div className="ml-[5px] border-l-2 border-accent/50 py-3 pl-5">
              <Joined hop={h} unfinished={found.unfinished ?? false} profile={profile} />
            </div>
            <Identifier id={h.to} />
          </li>
        ))}
      </ol>
      <p className="text-sm text-soft">
        Not right? <em className="not-italic font-medium text-ink">These are two people…</em> below parts them.
      </p>
    </div>
  );
}

function Identifier({ id }: { id: string }) {
  const [type = "", value = ""] = id.split(/:(.*)/s);
  return (
    <p className="flex items-baseline gap-2.5">
      <span aria-hidden="true" className="size-3 shrink-0 rounded-full border-2 border-accent bg-card" />
      <span className="min-w-0">
        <span className="text-soft">{plain(type)}</span> <span className="font-medium break-all">{value}</span>
      </span>
    </p>
  );
}

function Joined({ hop: h, unfinished, profile }: { hop: Hop; unfinished: boolean; profile: Profile }) {
  const events = h.events ?? [];
  if (h.rule)
    return (
      <p>
        Somebody decided that they are one person's, <When at={h.rule.at} />.
      </p>
    );
  if (events.length === 0)
    return (
      <p className="text-soft">
        Seen together from <When at={h.firstSeen} /> to <When at={h.lastSeen} />.{" "}
        {unfinished
          ? "The events were not found in time; in a terminal weir profiles explain looks again."
          : "The rows that showed it are gone from the warehouse."}
      </p>
    );
  return (
    <div className="space-y-2">
      <ul className="space-y-2">
        {events.map((e) => (
          <li key={`${e.table} ${e.id} ${e.at}`}>
            <Event event={e} profile={profile} />
          </li>
        ))}
      </ul>
      {h.more ? (
        <p className="text-soft">
          These are the oldest; they were seen together last <When at={h.lastSeen} />.
        </p>
      ) : null}
    </div>
  );
}

/** One event, with a link to its row in the warehouse. */
function Event({ event: e, profile }: { event: Made; profile: Profile }) {
  const workspace = useWorkspace();
  const table = e.table.split(".").at(-1) ?? e.table;
  const sql = `select * from ${e.table.split(".").map(named).join(".")} where ${named(rowOf(e.table, profile))} = '${(e.id ?? "").replaceAll("'", "''")}'`;
  return (
    <>
      <p>
        <span className="font-medium">{plain(e.event || table)}</span> <When at={e.at} whole />
      </p>
      <p className="text-soft">
        {e.id ? (
          <>
            {e.event ? "message" : "row"} <code className="font-mono text-[13px] break-all">{e.id}</code>{" "}
          </>
        ) : null}
        in <code className="font-mono text-[13px] break-all">{e.table}</code>
        {e.receivedAt && e.receivedAt !== e.at ? (
          <>
            , received <When at={e.receivedAt} whole />
          </>
        ) : null}
        {e.id ? (
          <>
            {" · "}
            <Link href={`${workspace.path("warehouses")}${fragment(profile.warehouse, sql)}`}>
              Look at the row <span className="sr-only">{e.id}</span>
            </Link>
          </>
        ) : null}
      </p>
    </>
  );
}

/** The column that names a row of a table: id, unless an input of the table says otherwise. */
function rowOf(table: string, profile: Profile): string {
  const [, bare] = table.split(".");
  return profile.inputs.find((i) => i.row && (i.from === table || i.from === bare))?.row ?? "id";
}

/** A name as SQL needs it. */
function named(name: string): string {
  return /^[a-z_][a-z0-9_]*$/.test(name) ? name : `"${name.replaceAll('"', '""')}"`;
}
