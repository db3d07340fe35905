import type { Plane, Workspace } from "../../api/client";
import { Badge, type Tone } from "../../parts/badge";
import { reason } from "../live/reasons";
import { alarmText } from "../workspace/alarms";

type Summary = { id?: string; disabled?: boolean };
type Counted = { parked: number; dead: number };

export type Health = { tone: Tone; word: string; cause: string };

/** How a destination is, in a word and with the cause, worst first. */
export function healthOf(d: Summary, counted: Counted | undefined, plane: Plane | undefined): Health {
  const alarm = plane?.alarms.find((a) => d.id !== undefined && a.objects?.includes(d.id));
  const cause = alarm
    ? `${alarmText(alarm.code)}${alarm.reason ? ` The last reason: ${reason(alarm.reason)}.` : ""}`
    : "";
  if (d.disabled) return { tone: "quiet", word: "Disabled", cause: "Its deliveries wait until it is enabled again." };
  if (counted && counted.dead > 0)
    return {
      tone: "bad",
      word: "Failing",
      cause: cause || "It rejected events for good; they are kept and can be sent again.",
    };
  if (alarm) return { tone: "warn", word: "In trouble", cause };
  if (counted && counted.parked > 0)
    return {
      tone: "warn",
      word: "Waiting",
      cause: "It cannot take events now; they are kept in order and sent when it can.",
    };
  return { tone: "good", word: "Healthy", cause: "" };
}

export function HealthBadge({ health }: { health: Health }) {
  return <Badge tone={health.tone}>{health.word}</Badge>;
}

/** The plane that runs a workspace. */
export function planeOf(planes: readonly Plane[], workspace: Workspace): Plane | undefined {
  return planes.find((p) => p.id === workspace.plane);
}
