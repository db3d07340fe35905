import type { Plane, Workspace } from "../../api/client";
import { Badge } from "../../parts/badge";
import { Icon } from "../../parts/icon";
import { Card } from "../../parts/section";
import { ago } from "../../parts/time";
import { reason } from "../live/reasons";
import { alarmText } from "../workspace/alarms";
import { Condition } from "./condition";
import { PlaneRemoval } from "./plane-removal";
import { Revisions, runsOf } from "./revisions";

/** Which objects of the workspaces an alarm is about, and why. */
function about(a: Plane["alarms"][number], workspaces: Workspace[]): string {
  const names = workspaces
    .flatMap((w) => [...w.sources, ...w.destinations])
    .filter((o) => a.objects?.includes(o.id))
    .map((o) => o.name)
    .join(", ");
  const why = a.reason ? reason(a.reason) : "";
  return names || why ? `${[names, why].filter(Boolean).join(": ")}. ` : "";
}

/** A data plane: its health, its alarms, and the revisions wanted and applied. */
export function PlaneCard({ plane, workspaces, now }: { plane: Plane; workspaces: Workspace[]; now: Date }) {
  const beat = plane.lastBeat ? new Date(plane.lastBeat) : null;
  return (
    <Card>
      <div className="space-y-4 p-4 sm:p-5">
        <div className="flex flex-wrap items-center gap-x-3 gap-y-2">
          <h2 className="font-semibold break-all">{plane.name}</h2>
          <span className="text-sm text-soft">
            {plane.kind === "private" ? "Private" : "Regional"}, {plane.region}
            {plane.version ? `, version ${plane.version}` : ""}
          </span>
          <span className="sm:ml-auto">
            <Health plane={plane} beat={beat} now={now} />
          </span>
        </div>
        {plane.alarms.length > 0 ? (
          <ul className="space-y-2" aria-label={`Alarms of ${plane.name}`}>
            {plane.alarms.map((a) => (
              <li
                key={`${a.code} ${a.workspace ?? ""} ${a.reason ?? ""}`}
                className="flex gap-2.5 rounded-lg bg-warn-wash px-3 py-2 text-sm"
              >
                <span className="mt-0.5 text-warn">
                  <Icon name="alert" />
                </span>
                <span>
                  {alarmText(a.code)} {about(a, workspaces)}
                  <span className="whitespace-nowrap text-warn">
                    {a.code} ×{a.count}
                    {a.servers ? ` (${a.servers.join(", ")})` : ""}
                  </span>
                </span>
              </li>
            ))}
          </ul>
        ) : null}
        <Condition plane={plane} now={now} />
        <dl className="grid gap-x-6 gap-y-1 text-sm sm:grid-cols-[auto_1fr]">
          <dt className="text-soft">Last beat</dt>
          <dd>{beat ? <time dateTime={beat.toISOString()}>{ago(beat, now)}</time> : "never"}</dd>
          <dt className="text-soft">Gateway</dt>
          <dd className="font-mono text-[13px] break-all">{plane.gatewayUrl || "none"}</dd>
          <dt className="text-soft">View</dt>
          <dd className="font-mono text-[13px] break-all">{plane.viewUrl || "none"}</dd>
          <dt className="text-soft">Identity</dt>
          <dd className="font-mono text-[13px] break-all text-soft">{plane.fingerprint}</dd>
        </dl>
      </div>
      <Revisions plane={plane} />
      {runsOf(plane) === 0 ? <PlaneRemoval plane={plane} /> : null}
    </Card>
  );
}

function Health({ plane, beat, now }: { plane: Plane; beat: Date | null; now: Date }) {
  if (!beat) return <Badge tone="quiet">Not heard yet</Badge>;
  if (plane.alarms.some((a) => a.code === "plane_silent"))
    return <Badge tone="bad">Silent for {ago(beat, now).replace(" ago", "")}</Badge>;
  return plane.healthy ? <Badge tone="good">Healthy</Badge> : <Badge tone="bad">Unhealthy</Badge>;
}
