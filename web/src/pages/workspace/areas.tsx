import { follow } from "../../parts/path";
import { type Area, areas, pathOf } from "../place";

const titles: Record<Area, string> = {
  overview: "Overview",
  live: "Live events",
  transformations: "Transformations",
  warehouses: "Warehouses",
};

/** The parts of a workspace, to go to. */
export function Areas({ workspace, chosen }: { workspace: string; chosen: Area }) {
  return (
    <nav aria-label={`Parts of ${workspace}`} className="-mt-3 mb-6 flex flex-wrap gap-x-6 border-b border-line">
      {areas.map((a) => (
        <a
          key={a}
          href={pathOf(workspace, a)}
          onClick={follow}
          aria-current={a === chosen ? "page" : undefined}
          className="-mb-px border-b-2 border-transparent py-2.5 text-sm text-soft transition-colors hover:text-ink aria-[current=page]:border-accent aria-[current=page]:font-medium aria-[current=page]:text-ink"
        >
          {titles[a]}
        </a>
      ))}
    </nav>
  );
}
