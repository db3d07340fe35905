import type { Alarm, Plane, Status } from "../../api/client";
import { reason } from "../live/reasons";
import { alarmText } from "../workspace/alarms";

/** Something that is wrong now. to leads to where it is mended, below the organization unless it begins with a slash. */
export type Alert = {
  key: string;
  tone: "bad" | "warn";
  what: string;
  where: string;
  plane: string;
  code: string;
  text: string;
  count: number;
  to: string[] | string;
  query?: string;
};

const number = new Intl.NumberFormat("en");

const grave = /silent|full|refused|unbalanced|damaged|stopped|forged|unloaded/;

/** Everything that is wrong now, the worst first. */
export function alertsOf(all: Status): Alert[] {
  const about = new Set(all.planes.flatMap((p) => p.alarms.flatMap((a) => a.objects ?? [])));
  const found = all.planes.flatMap((p) => [...unwell(p), ...p.alarms.map((a) => alarmed(a, p, all))]);
  for (const w of all.workspaces) {
    const plane = all.planes.find((p) => p.id === w.plane)?.name ?? "";
    const base = { where: w.name, plane, count: 1 };
    if (w.state === "rejected")
      found.push({
        ...base,
        key: `rejected ${w.id}`,
        tone: "bad",
        what: `Revision ${w.number} was rejected`,
        code: "rejected",
        text: w.problems.map((p) => p.text || p.code).join(" "),
        to: ["workspaces", w.name, "history", String(w.number)],
      });
    if (plane === "")
      found.push({
        ...base,
        key: `no plane ${w.id}`,
        tone: "bad",
        what: `No data plane of region ${w.region}`,
        code: "no_plane",
        text: "Nothing is taken or delivered until one joins.",
        to: "/planes?invite=1",
      });
    for (const d of w.destinations) {
      if (d.dead > 0)
        found.push({
          ...base,
          key: `dead ${d.id}`,
          tone: "bad",
          what: d.name,
          code: "failed",
          text: `${d.dead === 1 ? "An event" : `${number.format(d.dead)} events`} failed for good. See why, mend the cause, and send them again; they are kept for 30 days.`,
          to: ["workspaces", w.name, "events"],
          query: `tab=problems&destination=${encodeURIComponent(d.name)}`,
        });
      if (d.parked > 0 && !about.has(d.id))
        found.push({
          ...base,
          key: `parked ${d.id}`,
          tone: "warn",
          what: d.name,
          code: "waiting",
          text: `${d.parked === 1 ? "An event waits" : `${number.format(d.parked)} events wait`} ${d.disabled ? "because it is disabled; they are sent in order once it is enabled" : "because it cannot take them now; they are sent in order once it can"}.`,
          to: ["workspaces", w.name, "destinations", d.name],
        });
    }
    for (const a of w.alarms)
      found.push({
        ...base,
        key: `${w.id} ${a.code}`,
        tone: "warn",
        what: w.name,
        code: a.code,
        text: alarmText(a.code),
        count: a.count,
        to: ["workspaces", w.name, "transformations"],
      });
  }
  return found.sort((a, b) => Number(b.tone === "bad") - Number(a.tone === "bad"));
}

function unwell(p: Plane): Alert[] {
  if (p.healthy || !p.lastBeat || p.alarms.length > 0) return [];
  return [
    {
      key: `unhealthy ${p.id}`,
      tone: "bad",
      what: p.name,
      where: "",
      plane: p.name,
      code: "unhealthy",
      text: "It is heard, and says that it cannot take or deliver events now, without an alarm of its own. Look into its log.",
      count: 1,
      to: "/planes",
    },
  ];
}

/** An alarm of a plane, with the objects that it is about as people call them. */
function alarmed(a: Alarm, p: Plane, all: Status): Alert {
  const about = all.workspaces.flatMap((w) =>
    [
      ...w.sources.map((s) => ({ ...s, of: "sources", workspace: w.name })),
      ...w.destinations.map((d) => ({ ...d, of: "destinations", workspace: w.name })),
    ].filter((o) => a.objects?.includes(o.id)),
  );
  const [one] = about;
  const workspace = one?.workspace ?? a.workspace ?? "";
  return {
    key: `${p.id} ${a.code} ${a.workspace ?? ""} ${a.reason ?? ""} ${(a.objects ?? []).join()}`,
    tone: grave.test(a.code) ? "bad" : "warn",
    what: about.length > 0 ? about.map((o) => o.name).join(", ") : workspace || p.name,
    where: workspace,
    plane: p.name,
    code: a.code,
    text: `${alarmText(a.code)}${a.reason ? ` The last reason: ${reason(a.reason)}.` : ""}`,
    count: a.count,
    to: one ? ["workspaces", one.workspace, one.of, one.name] : workspace ? ["workspaces", workspace] : "/planes",
  };
}
