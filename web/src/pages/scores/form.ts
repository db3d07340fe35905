import type { Score, Where } from "../../api/profiles";
import { wrongMemberName } from "../profiles/use-member";

export type Weight = { id: number; feature: string; weight: string };

/** How a score comes about. */
export type Way = "weights" | "formula" | "table" | "trees" | "learned";

/** A score as its form has it. */
export type Form = {
  name: string;
  entity: string;
  way: Way;
  intercept: string;
  weights: Weight[];
  sql: string;
  input: string;
  column: string;
  /** Of boosted: the text of the model that was chosen, its kind, and the features in the model's order as they are written. */
  trees: string;
  library: "lightgbm" | "xgboost";
  features: string;
  /** Of learned: what is predicted and from whom it is learned, in parts where the form has them and else as they are. */
  learner: "boosted" | "logistic";
  outcome: { not: boolean; input: string; next: string };
  among: string;
  from: string[];
  kept: { predict?: Where; among?: Where; cuts?: Score["cuts"]; gate?: Score["gate"] };
};

/** How a score that is declared comes about. */
export function wayOf(s: Score): Way {
  if (s.predict) return "learned";
  return ({ logistic: "weights", sql: "formula", table: "table", boosted: "trees" } as const)[s.model];
}

/** What is predicted, where it is that customers have rows of an input in a time to come, or have none. */
function outcomeOf(predict: unknown, not = false): Form["outcome"] | undefined {
  const { did, next, not: inner, ...rest } = (predict ?? {}) as Record<string, unknown>;
  if (Object.keys(rest).length > 0) return undefined;
  if (inner !== undefined) return not || did !== undefined ? undefined : outcomeOf(inner, true);
  return typeof did === "string" && typeof next === "string" ? { not, input: did, next } : undefined;
}

function amongOf(among: unknown): string | undefined {
  const { did, ...rest } = (among ?? {}) as Record<string, unknown>;
  return typeof did === "string" && Object.keys(rest).length === 0 ? did : undefined;
}

let last = 0;

/** A weight of a form with a number of its own. */
export function weight(feature = "", text = ""): Weight {
  last += 1;
  return { id: last, feature, weight: text };
}

export function formOf(s: Score | undefined): Form {
  const [input = "", column = ""] = (s?.table ?? "").split(".");
  const outcome = outcomeOf(s?.predict);
  const among = amongOf(s?.among);
  const weights = Object.entries(s?.weights ?? {}).map(([f, w]) => weight(f, String(w)));
  return {
    name: s?.name ?? "",
    entity: s?.entity ?? "",
    way: s ? wayOf(s) : "learned",
    intercept: String(s?.intercept ?? 0),
    weights: weights.length > 0 ? weights : [weight()],
    sql: s?.sql ?? "",
    input,
    column,
    trees: s?.xgboost ?? s?.lightgbm ?? "",
    library: s?.xgboost ? "xgboost" : "lightgbm",
    features: s?.predict ? "" : (s?.features ?? []).join(", "),
    learner: s?.model === "logistic" ? "logistic" : "boosted",
    outcome: outcome ?? { not: true, input: "", next: "30d" },
    among: among ?? "",
    from: s?.predict ? (s.features ?? []) : [],
    kept: {
      ...(s?.predict && !outcome ? { predict: s.predict } : {}),
      ...(s?.among && among === undefined ? { among: s.among } : {}),
      ...(s?.cuts ? { cuts: s.cuts } : {}),
      ...(s?.gate ? { gate: s.gate } : {}),
    },
  };
}

const listed = (text: string) => text.split(/[\s,]+/).filter((w) => w !== "");

/** The score that a form describes. */
export function scoreOf(f: Form): Score {
  const head = { name: f.name, ...(f.entity === "" ? {} : { entity: f.entity }) };
  if (f.way === "formula") return { ...head, model: "sql", sql: f.sql.trim() };
  if (f.way === "table") return { ...head, model: "table", table: `${f.input}.${f.column}` };
  if (f.way === "learned") return learnedOf(head, f);
  if (f.way === "trees") {
    const features = listed(f.features);
    return { ...head, model: "boosted", [f.library]: f.trees, ...(features.length > 0 ? { features } : {}) };
  }
  const intercept = Number(f.intercept);
  const weights = Object.fromEntries(f.weights.map((w) => [w.feature, Number(w.weight)]));
  return { ...head, model: "logistic", ...(intercept === 0 ? {} : { intercept }), weights };
}

function learnedOf(head: { name: string; entity?: string }, f: Form): Score {
  const { not, input, next } = f.outcome;
  const comes = { did: input, next };
  const among = f.kept.among ?? (f.among === "" ? undefined : { did: f.among });
  return {
    ...head,
    model: f.learner,
    predict: f.kept.predict ?? (not ? { not: comes } : comes),
    ...(among ? { among } : {}),
    ...(f.from.length > 0 ? { features: f.from } : {}),
    ...(f.kept.cuts ? { cuts: f.kept.cuts } : {}),
    ...(f.kept.gate ? { gate: f.kept.gate } : {}),
  };
}

const isNumber = (text: string) => text.trim() !== "" && Number.isFinite(Number(text));

/** Why a form says nothing yet that could be computed; "" when it does. */
export function incomplete(f: Form): string {
  if (f.way === "learned") {
    if (f.kept.predict) return "";
    if (f.outcome.input === "") return "Choose what is predicted.";
    return /^[1-9]\d*[mhdw]$/.test(f.outcome.next) ? "" : "Say in how many days.";
  }
  if (f.way === "formula") return f.sql.trim() === "" ? "Write the formula." : "";
  if (f.way === "table") return f.input === "" || f.column === "" ? "Choose where the score is read." : "";
  if (f.way === "trees") return f.trees === "" ? "Choose the file of the model." : "";
  if (f.weights.some((w) => w.feature === "")) return "Choose each feature.";
  if (!f.weights.every((w) => isNumber(w.weight))) return "Say as a number what each feature counts.";
  const names = f.weights.map((w) => w.feature);
  const twice = names.find((n, i) => names.indexOf(n) !== i);
  if (twice) return `${twice} is there twice.`;
  return isNumber(f.intercept) ? "" : "Say as a number where the score begins.";
}

/** What a form misses, by field; the control plane checks the rest. */
export function missing(f: Form, taken: readonly string[]): Record<string, string> {
  const wrong = wrongMemberName(f.name, taken);
  const rest = incomplete(f);
  return { ...(wrong ? { name: wrong } : {}), ...(rest ? { "": rest } : {}) };
}
