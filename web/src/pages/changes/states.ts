import type { ChangeState } from "../../api/changes";
import type { Tone } from "../../parts/badge";

export const states: Record<ChangeState, { word: string; tone: Tone }> = {
  waiting: { word: "Waiting", tone: "warn" },
  approved: { word: "Approved", tone: "good" },
  rejected: { word: "Rejected", tone: "bad" },
  withdrawn: { word: "Withdrawn", tone: "quiet" },
};
