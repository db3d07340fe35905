import type { Person } from "../../api/profiles";
import { Empty } from "../../parts/empty";
import { When } from "../../parts/when";
import { plain } from "../profiles/words";

const shownAtMost = 100;

/** What a customer did, newest first, over all sources. */
export function Timeline({ events }: { events: Person["events"] }) {
  if (events.length === 0)
    return (
      <Empty title="No events.">
        <p>Rows that name one of the customer's identifiers are shown here, newest first.</p>
      </Empty>
    );
  return (
    <div className="space-y-3">
      <ol className="max-w-2xl border-l border-line text-sm">
        {events.map((e, i) => (
          // biome-ignore lint/suspicious/noArrayIndexKey: events have no name here and never move
          <li key={i} className="relative flex flex-wrap gap-x-3 py-1.5 pl-5">
            <span aria-hidden="true" className="absolute top-3.5 -left-1 size-2 rounded-full bg-accent" />
            <span className="font-medium">{plain(e.event || e.input)}</span>
            {e.event && e.input !== "events" ? <span className="text-soft">{plain(e.input)}</span> : null}
            <span className="ml-auto text-soft">
              <When at={e.at} />
            </span>
          </li>
        ))}
      </ol>
      {events.length >= shownAtMost ? <p className="text-sm text-soft">The newest {shownAtMost} are shown.</p> : null}
    </div>
  );
}
