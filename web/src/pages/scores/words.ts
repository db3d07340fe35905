import type { Standing } from "../../api/customers";
import type { Score } from "../../api/profiles";
import type { Tone } from "../../parts/badge";
import { plain } from "../profiles/words";

/** What a score may be, in the order in which a form offers it. */
export const models: { model: Score["model"]; title: string; about: string }[] = [
  {
    model: "logistic",
    title: "Weighed features",
    about: "A chance between 0 and 1, from features and what each counts.",
  },
  { model: "sql", title: "A formula", about: "Any number that is computed from features." },
  { model: "table", title: "Read from a table", about: "Something else computes it and writes it into the warehouse." },
  { model: "boosted", title: "A trained model", about: "Trees that LightGBM or XGBoost saved." },
];

export function modelTitle(model: string): string {
  return models.find((m) => m.model === model)?.title ?? model;
}

/** What a score is in one line. */
export function scoreText(s: Score): string {
  if (s.model === "sql") return `${s.sql}`;
  if (s.model === "table") {
    const [input = "", column = ""] = (s.table ?? "").split(".");
    return `The latest ${plain(column)} of ${plain(input)}`;
  }
  if (s.model === "boosted") return s.xgboost ? "Trees that XGBoost saved" : "Trees that LightGBM saved";
  return `From ${Object.keys(s.weights ?? {})
    .map(plain)
    .join(", ")}`;
}

const index = new Intl.NumberFormat("en", { minimumFractionDigits: 2, maximumFractionDigits: 2 });

/** How a score drifted, in a word and in a sentence; the bounds are docs/profiles.md's. */
export function driftOf(s: Standing | undefined): { tone: Tone; title: string; text: string } {
  if (s === undefined)
    return { tone: "quiet", title: "Not computed yet", text: "The next run of the profiles computes it." };
  if (s.drift === undefined)
    return { tone: "quiet", title: "Too few customers", text: "Drift is measured from 100 customers on." };
  const by = `The index is ${index.format(s.drift)}.`;
  if (s.drift < 0.1)
    return { tone: "good", title: "Steady", text: `It is spread over customers as it was when it began. ${by}` };
  if (s.drift <= 0.25)
    return {
      tone: "warn",
      title: "Moving",
      text: `It begins to be spread otherwise than when it began. Watch it: above 0.25 it no longer says what it said. ${by}`,
    };
  return {
    tone: "bad",
    title: "Drifted",
    text: `The score no longer says what it said when it was made. Train it again, or set its weights and bounds anew; drift is then measured from there. ${by}`,
  };
}
