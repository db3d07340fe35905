import type { Status, Workspace } from "../../api/client";
import { count } from "../flow";
import { reason } from "../live/reasons";
import { alarmText } from "../workspace/alarms";

export type Trouble = {
  key: string;
  tone: "bad" | "warn";
  title: string;
  cause: string;
  /** Where it is mended: a page of the workspace, or one of the console that begins with a slash. */
  to: { parts: string[]; query?: string } | string;
  act: string;
};

const silentAfter = 30_000; // ms without a beat

/** What is wrong with a workspace and its plane, the worst first. */
export function problemsOf(w: Workspace, all: Status, now: Date): Trouble[] {
  const found: Trouble[] = [];
  const plane = all.planes.find((p) => p.id === w.plane);
  if (w.state === "rejected")
    found.push({
      key: "rejected",
      tone: "bad",
      title: `${plane?.name ?? "The plane"} cannot run revision ${w.number}${w.running > 0 ? `; revision ${w.running} goes on` : ""}`,
      cause: w.problems.map((p) => p.text || p.code).join(" "),
      to: { parts: ["history", String(w.number)] },
      act: "See what it changed",
    });
  if (!plane)
    found.push({
      key: "no plane",
      tone: "bad",
      title: `No data plane of region ${w.region} runs this workspace yet`,
      cause: "Nothing is taken or delivered until one joins.",
      to: "/planes?invite=1",
      act: "Invite a plane",
    });
  else if (plane.lastBeat && now.getTime() - Date.parse(plane.lastBeat) > silentAfter)
    found.push({
      key: "silent",
      tone: "warn",
      title: `${plane.name} has not been heard for ${Math.round((now.getTime() - Date.parse(plane.lastBeat)) / 1000)} s`,
      cause: "It goes on with what it has, and no event is lost. Check that it runs and reaches the control plane.",
      to: "/planes",
      act: "See the plane",
    });
  const alarmed = new Set<string>();
  for (const a of plane?.alarms ?? []) {
    if (a.code === "plane_silent") continue; // said above, with since when
    const about = [
      ...w.sources.map((s) => ({ ...s, of: "sources" })),
      ...w.destinations.map((d) => ({ ...d, of: "destinations" })),
    ].filter((o) => a.objects?.includes(o.id));
    if (a.workspace && a.workspace !== w.name && about.length === 0) continue;
    for (const o of about) alarmed.add(o.name);
    const [one] = about;
    found.push({
      key: `${a.code} ${a.reason ?? ""} ${about.map((o) => o.name).join()}`,
      tone: /full|refused|unbalanced|damaged|stopped|forged|unloaded/.test(a.code) ? "bad" : "warn",
      title: about.length > 0 ? about.map((o) => o.name).join(", ") : (plane?.name ?? ""),
      cause: `${alarmText(a.code)}${a.reason ? ` The last reason: ${reason(a.reason)}.` : ""}`,
      to: one ? { parts: [one.of, one.name] } : "/planes",
      act: one ? `Open ${one.name}` : "See the plane",
    });
  }
  for (const d of w.destinations) {
    const query = `tab=problems&destination=${encodeURIComponent(d.name)}`;
    if (d.dead > 0)
      found.push({
        key: `dead ${d.name}`,
        tone: "bad",
        title: `${d.name}: ${count(d.dead)} ${d.dead === 1 ? "event" : "events"} failed for good`,
        cause: "It rejected them. They are kept for 30 days; see why, mend the cause, and send them again.",
        to: { parts: ["events"], query },
        act: "See why",
      });
    if (d.parked > 0 && !alarmed.has(d.name))
      found.push({
        key: `parked ${d.name}`,
        tone: "warn",
        title: `${d.name}: ${count(d.parked)} ${d.parked === 1 ? "event waits" : "events wait"}`,
        cause: d.disabled
          ? "It is disabled. They are kept in order and sent when it is enabled again."
          : "It cannot take them now. They are kept in order and sent when it can.",
        to: { parts: ["destinations", d.name], ...(d.disabled ? { query: "tab=settings" } : {}) },
        act: `Open ${d.name}`,
      });
  }
  return found.sort((a, b) => Number(b.tone === "bad") - Number(a.tone === "bad"));
}
