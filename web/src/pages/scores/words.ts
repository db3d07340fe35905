import type { Learned, Standing } from "../../api/customers";
import type { Score } from "../../api/profiles";
import type { Tone } from "../../parts/badge";
import { count } from "../flow";
import { plain, timeText, whereText } from "../profiles/words";
import { type Way, wayOf } from "./form";

/** How a score may come about, in the order in which a form offers it. */
export const ways: { way: Way; title: string; about: string }[] = [
  {
    way: "learned",
    title: "Learned from the past",
    about: "The plane learns from your rows what comes next, and measures how good it is.",
  },
  { way: "weights", title: "Weighed features", about: "A chance between 0 and 1, from features and what each counts." },
  { way: "formula", title: "A formula", about: "Any number that is computed from features." },
  { way: "table", title: "Read from a table", about: "Something else computes it and writes it into the warehouse." },
  { way: "trees", title: "A trained model", about: "Trees that LightGBM or XGBoost saved." },
];

export function wayTitle(s: Score): string {
  const way = wayOf(s);
  return ways.find((w) => w.way === way)?.title ?? way;
}

/** What a score is in one line. */
export function scoreText(s: Score): string {
  if (s.predict) return predictText(s.predict);
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

/** What is predicted, in words: "has no orders in the next 30 days". */
export function predictText(predict: unknown, not = false): string {
  const { did, next, not: inner, where } = (predict ?? {}) as Record<string, unknown>;
  if (inner !== undefined) return predictText(inner, !not);
  const when = typeof next === "string" ? ` in the next ${timeText(next)}` : "";
  const of = where ? ` where ${whereText(where)}` : "";
  return `has ${not ? "no " : ""}${plain(String(did ?? ""))}${of}${when}`;
}

const percent = new Intl.NumberFormat("en", { style: "percent", maximumFractionDigits: 0 });
const points = new Intl.NumberFormat("en", { maximumFractionDigits: 1 });

/** How good a learned score is, in a word and in sentences; nothing of other scores. */
export function goodnessOf(
  score: Score,
  s: Standing | undefined,
): { tone: Tone; title: string; text: string } | undefined {
  if (!score.predict || s === undefined) return undefined;
  const { live, last } = s;
  if (!live)
    return last?.code === "score_held"
      ? { tone: "bad", title: "Not good enough", text: heldText(score, last) }
      : { tone: "quiet", title: "Not learned yet", text: unlearnedText(last) };
  const [tone, title]: [Tone, string] =
    live.auc >= 0.8
      ? ["good", "Good"]
      : live.auc >= 0.7
        ? ["good", "Fair"]
        : live.auc >= 0.6
          ? ["warn", "Weak"]
          : ["bad", "Hardly better than chance"];
  const text = [
    `Of two customers, one for whom it came and one for whom it did not, it puts the first higher in ${percent.format(live.auc)} of cases (50% is chance).`,
    `It is off by ${points.format(100 * live.calibration)} points in the mean.`,
    `Measured with ${count(live.measured)} customers that it was not learned from; learned from ${count(live.persons)} examples, of which it came for ${count(live.came)}.`,
    last?.code === "score_held" ? "A newer model was not good enough, so this one stays." : "",
  ];
  return { tone, title, text: text.filter((t) => t !== "").join(" ") };
}

const fewest = { examples: 200, ofAKind: 20 }; // from which a score is learned; see docs/profiles.md
const ownGate = { auc: 0.6, calibration: 0.1 };

function heldText(score: Score, last: Learned): string {
  const gate = { ...ownGate, ...score.gate };
  return [
    `What was learned is not good enough, so nobody has the score.`,
    `Of two customers, one for whom it came and one for whom it did not, it puts the first higher in ${percent.format(last.auc)} of cases; ${percent.format(gate.auc)} are needed.`,
    `It is off by ${points.format(100 * last.calibration)} points in the mean, of ${points.format(100 * gate.calibration)} that are allowed.`,
    "Give it other features, a longer past, or a lower gate.",
  ].join(" ");
}

function unlearnedText(last: Learned | undefined): string {
  const needs = `It is learned from ${fewest.examples} examples on, with ${fewest.ofAKind} for whom it came and ${fewest.ofAKind} for whom it did not.`;
  if (!last) return `${needs} The next run tries.`;
  const enough =
    last.persons >= fewest.examples && Math.min(last.came, last.persons - last.came) >= fewest.ofAKind
      ? `There are enough to learn from, but not to measure it with: of the ${count(last.measured)} newest customers it came for fewer than ${fewest.ofAKind}, or for all but fewer than ${fewest.ofAKind}; or no feature is a number.`
      : "";
  return [needs, enough, "Each run tries again; a longer past gives more examples."].filter((t) => t !== "").join(" ");
}

/** How many examples there are of a score that nobody has, with how many are needed. */
export function examplesOf(s: Standing): { title: string; value: string; tone: Tone }[] {
  if (!s.last || s.live || s.code === "score_held") return [];
  const { persons, came } = s.last;
  const row = (title: string, n: number, needed: number) => ({
    title,
    value: `${count(n)} of ${needed} needed`,
    tone: (n < needed ? "warn" : "good") as Tone,
  });
  return [
    row("Examples", persons, fewest.examples),
    row("It came for", came, fewest.ofAKind),
    row("It did not come for", persons - came, fewest.ofAKind),
  ];
}

const index = new Intl.NumberFormat("en", { minimumFractionDigits: 2, maximumFractionDigits: 2 });

/** How a score drifted, in a word and in a sentence; the bounds are docs/profiles.md's. */
export function driftOf(s: Standing | undefined): { tone: Tone; title: string; text: string } {
  if (s === undefined)
    return { tone: "quiet", title: "Not computed yet", text: "The next run of the profiles computes it." };
  if (s.persons === 0)
    return {
      tone: "quiet",
      title: "Nobody has it",
      text: "Drift is measured from 100 customers on who have the score.",
    };
  if (s.drift === undefined)
    return {
      tone: "quiet",
      title: "Too few customers",
      text: `Drift is measured from 100 customers on; ${count(s.persons)} have the score.`,
    };
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
