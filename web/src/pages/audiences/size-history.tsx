import type { Size } from "../../api/profiles";
import { Table } from "../../parts/table";
import { When } from "../../parts/when";
import { count } from "../flow";

const [width, height, edge] = [600, 120, 4];

/** How large an audience was after each run that changed it, as a line and as numbers. */
export function SizeHistory({ size }: { size: Size }) {
  const { moves } = size;
  if (moves.length === 0)
    return <p className="text-sm text-soft">Nobody came or left yet. What each run changes is listed here.</p>;
  return (
    <div className="space-y-4">
      {moves.length > 1 ? <Line moves={moves} /> : null}
      <Table
        label="Who came and left"
        rows={[...moves].reverse()}
        keyOf={(m) => m.at}
        empty={null}
        columns={[
          { title: "When", cell: (m) => <When at={m.at} whole /> },
          { title: "Came", right: true, cell: (m) => count(m.entered) },
          { title: "Left", right: true, cell: (m) => count(m.left) },
          { title: "Then in it", right: true, cell: (m) => count(m.persons) },
        ]}
      />
    </div>
  );
}

/** The sizes over time, in steps: an audience changes at runs. */
function Line({ moves }: { moves: Size["moves"] }) {
  const times = moves.map((m) => Date.parse(m.at));
  const [from, to] = [Math.min(...times), Math.max(...times)];
  const most = Math.max(1, ...moves.map((m) => m.persons));
  const x = (t: number) => (to === from ? 0 : ((t - from) / (to - from)) * width);
  const y = (n: number) => height - edge - (n / most) * (height - 2 * edge);
  const path = moves
    .map((m, i) => `${i === 0 ? "M" : "H"}${x(times[i] ?? 0)}${i === 0 ? ` ${y(m.persons)}` : `V${y(m.persons)}`}`)
    .join("");
  return (
    <div className="rounded-xl border border-line bg-card p-4">
      <svg
        role="img"
        aria-label={`From ${count(moves[0]?.persons ?? 0)} to ${count(moves.at(-1)?.persons ?? 0)} customers`}
        viewBox={`0 0 ${width} ${height}`}
        preserveAspectRatio="none"
        className="h-28 w-full text-accent"
      >
        <path d={path} fill="none" stroke="currentColor" strokeWidth="2" vectorEffect="non-scaling-stroke" />
      </svg>
    </div>
  );
}
