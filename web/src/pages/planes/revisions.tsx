import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { type Plane, type State, wholeStatus } from "../../api/client";
import { inOrganization, useHere } from "../../frame/place";
import { Badge, type Tone } from "../../parts/badge";
import { Link } from "../../parts/link";
import { keys } from "../../queries";
import { Loaded } from "../loaded";

const states: Record<State, { tone: Tone; text: string }> = {
  applied: { tone: "good", text: "Applied" },
  rejected: { tone: "bad", text: "Rejected" },
  pending: { tone: "warn", text: "On its way" },
  none: { tone: "quiet", text: "None" },
};

const few = 20; // workspaces that are shown without being asked for

/** How many workspaces that one sees a plane runs; of a status that does not say it, those that it shows. */
export function runsOf(plane: Plane): number {
  return plane.workspaceCount ?? plane.workspaces.length;
}

/** The revisions wanted and applied of the workspaces on a plane. */
export function Revisions({ plane }: { plane: Plane }) {
  const runs = runsOf(plane);
  const [open, setOpen] = useState(runs <= few);
  const all = useQuery({
    queryKey: keys.planeStatus(plane.id),
    queryFn: ({ signal }) => wholeStatus({ plane: plane.id }, signal),
    enabled: open && runs > 0,
  });
  if (runs === 0) return <p className="border-t border-line px-5 py-3 text-sm text-soft">It runs no workspace yet.</p>;
  const table = (
    <Loaded query={all} what={`the workspaces of ${plane.name}`}>
      {(s) => <Table plane={plane.name} rows={s.planes.find((p) => p.id === plane.id)?.workspaces ?? []} />}
    </Loaded>
  );
  if (runs <= few) return table;
  return (
    <details className="border-t border-line" onToggle={(e) => setOpen(e.currentTarget.open)}>
      <summary className="cursor-pointer px-3 py-2.5 text-sm sm:px-5">It runs {runs} workspaces</summary>
      {open ? table : null}
    </details>
  );
}

function Table({ plane, rows }: { plane: string; rows: Plane["workspaces"] }) {
  const { organization } = useHere();
  return (
    <table className="w-full border-t border-line text-left text-sm">
      <caption className="sr-only">Revisions on {plane}</caption>
      <thead className="text-soft">
        <tr>
          <th scope="col" className="py-2 pr-1 pl-3 font-normal sm:pl-5">
            Workspace
          </th>
          <th scope="col" className="px-1 py-2 text-right font-normal sm:w-28">
            Wanted
          </th>
          <th scope="col" className="px-1 py-2 text-right font-normal sm:w-28">
            Applied
          </th>
          <th scope="col" className="py-2 pr-3 pl-1 text-right font-normal sm:w-44 sm:pr-5">
            State
          </th>
        </tr>
      </thead>
      <tbody>
        {rows.map((w) => (
          <tr key={w.workspace} className="border-t border-line">
            <th scope="row" className="py-2.5 pr-1 pl-3 font-normal break-words sm:pl-5">
              <Link href={inOrganization(organization, "workspaces", w.workspace)} look="name">
                {w.workspace}
              </Link>
            </th>
            <td className="px-1 py-2.5 text-right tabular-nums">{w.wanted}</td>
            <td className="px-1 py-2.5 text-right tabular-nums">{w.applied}</td>
            <td className="py-2.5 pr-3 pl-1 text-right sm:pr-5">
              <Badge tone={states[w.state].tone}>{states[w.state].text}</Badge>
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
