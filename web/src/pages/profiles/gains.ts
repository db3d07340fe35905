import type { Score } from "../../api/profiles";

/**
 * How much each feature does in the trees of a boosted score, by the model's names in its order, as the model says: LightGBM writes how often each divides
 * ("feature_importances:" in GBDT::SaveModelToString), XGBoost what each division gains ("loss_changes" in its JSON).
 * Empty for other scores, and where the model does not say it.
 */
export function gainsOf(s: Score): Record<string, number> {
  if (s.lightgbm) return ofLightGBM(s.lightgbm);
  return s.xgboost ? ofXGBoost(s.xgboost) : {};
}

function ofLightGBM(text: string): Record<string, number> {
  const [, names = ""] = /^feature_names=(.*)$/m.exec(text) ?? [];
  const found: Record<string, number> = Object.fromEntries(names.split(" ").flatMap((n) => (n === "" ? [] : [[n, 0]])));
  const [, rest = ""] = text.split(/^feature_importances:\s*$/m);
  for (const line of rest.split("\n").slice(1)) {
    const [, name, n] = /^([^=\s]+)=(\d+(?:\.\d+)?)$/.exec(line.trim()) ?? [];
    if (name === undefined) break;
    if (name in found) found[name] = Number(n);
  }
  return found;
}

type Tree = { split_indices?: number[]; loss_changes?: number[]; left_children?: number[] };
type Model = { learner?: { feature_names?: string[]; gradient_booster?: { model?: { trees?: Tree[] } } } };

function ofXGBoost(text: string): Record<string, number> {
  let model: Model;
  try {
    model = JSON.parse(text) as Model;
  } catch {
    return {};
  }
  const names = model.learner?.feature_names ?? [];
  const found: Record<string, number> = Object.fromEntries(names.map((n) => [n, 0]));
  for (const t of model.learner?.gradient_booster?.model?.trees ?? [])
    t.split_indices?.forEach((at, i) => {
      const name = names[at];
      if (name !== undefined && (t.left_children?.[i] ?? -1) >= 0)
        found[name] = (found[name] ?? 0) + (t.loss_changes?.[i] ?? 0);
    });
  return found;
}
