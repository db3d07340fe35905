import type { Score } from "../../api/profiles";
import { wrongMemberName } from "../profiles/use-member";

export type Weight = { id: number; feature: string; weight: string };

/** A score as its form has it. */
export type Form = {
  name: string;
  entity: string;
  model: Score["model"];
  intercept: string;
  weights: Weight[];
  sql: string;
  input: string;
  column: string;
  /** Of boosted: the text of the model that was chosen, its kind, and the features in the model's order as they are written. */
  trees: string;
  library: "lightgbm" | "xgboost";
  features: string;
};

let last = 0;

/** A weight of a form with a number of its own. */
export function weight(feature = "", text = ""): Weight {
  last += 1;
  return { id: last, feature, weight: text };
}

export function formOf(s: Score | undefined): Form {
  const [input = "", column = ""] = (s?.table ?? "").split(".");
  const weights = Object.entries(s?.weights ?? {}).map(([f, w]) => weight(f, String(w)));
  return {
    name: s?.name ?? "",
    entity: s?.entity ?? "",
    model: s?.model ?? "logistic",
    intercept: String(s?.intercept ?? 0),
    weights: weights.length > 0 ? weights : [weight()],
    sql: s?.sql ?? "",
    input,
    column,
    trees: s?.xgboost ?? s?.lightgbm ?? "",
    library: s?.xgboost ? "xgboost" : "lightgbm",
    features: (s?.features ?? []).join(", "),
  };
}

const listed = (text: string) => text.split(/[\s,]+/).filter((w) => w !== "");

/** The score that a form describes. */
export function scoreOf(f: Form): Score {
  const head = { name: f.name, ...(f.entity === "" ? {} : { entity: f.entity }), model: f.model };
  if (f.model === "sql") return { ...head, sql: f.sql.trim() };
  if (f.model === "table") return { ...head, table: `${f.input}.${f.column}` };
  if (f.model === "boosted") {
    const features = listed(f.features);
    return { ...head, [f.library]: f.trees, ...(features.length > 0 ? { features } : {}) };
  }
  const intercept = Number(f.intercept);
  const weights = Object.fromEntries(f.weights.map((w) => [w.feature, Number(w.weight)]));
  return { ...head, ...(intercept === 0 ? {} : { intercept }), weights };
}

const isNumber = (text: string) => text.trim() !== "" && Number.isFinite(Number(text));

/** Why a form says nothing yet that could be computed; "" when it does. */
export function incomplete(f: Form): string {
  if (f.model === "sql") return f.sql.trim() === "" ? "Write the formula." : "";
  if (f.model === "table") return f.input === "" || f.column === "" ? "Choose where the score is read." : "";
  if (f.model === "boosted") return f.trees === "" ? "Choose the file of the model." : "";
  if (f.weights.length === 0) return "Add a feature.";
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
