import { useState } from "react";
import { Button } from "../../parts/button";
import { Icon } from "../../parts/icon";
import { Input, Labelled, Select, TextArea } from "../../parts/input";
import { Pick, pickLook } from "../profiles/pick";
import { type Profile, useColumns } from "../profiles/use-set";
import { plain } from "../profiles/words";
import { type Form, weight } from "./form";
import { LearnedFields } from "./learned-fields";

type Props = { profile: Profile; form: Form; put: (change: Partial<Form>) => void };

/** What a score of its kind needs. */
export function ModelFields(props: Props) {
  if (props.form.way === "learned") return <LearnedFields {...props} />;
  if (props.form.way === "formula") return <Formula {...props} />;
  if (props.form.way === "table") return <Place {...props} />;
  if (props.form.way === "trees") return <Trees {...props} />;
  return <Weights {...props} />;
}

function Weights({ profile, form, put }: Props) {
  const first = profile.entities[0]?.name ?? "";
  const features = (profile.features ?? []).filter((f) => (f.entity ?? first) === (form.entity || first));
  const set = (id: number, change: { feature?: string; weight?: string }) =>
    put({ weights: form.weights.map((w) => (w.id === id ? { ...w, ...change } : w)) });
  return (
    <fieldset className="space-y-3">
      <legend className="mb-1 text-sm font-medium">What each feature counts</legend>
      <p className="text-sm text-soft">
        A number above 0 raises the score, one below 0 lowers it. What is not known counts as 0.
      </p>
      <ul className="space-y-2">
        {form.weights.map((w, i) => (
          <li key={w.id} className="flex flex-wrap items-center gap-2 text-sm">
            <Pick
              label={`Feature ${i + 1}`}
              value={w.feature}
              values={[
                ...(w.feature !== "" && features.some((f) => f.name === w.feature)
                  ? []
                  : [{ value: w.feature, title: w.feature === "" ? "choose…" : w.feature }]),
                ...features.map((f) => ({ value: f.name, title: plain(f.name) })),
              ]}
              onChange={(feature) => set(w.id, { feature })}
            />
            <span>times</span>
            <input
              aria-label={`Weight ${i + 1}`}
              inputMode="decimal"
              placeholder="0.5"
              value={w.weight}
              onChange={(e) => set(w.id, { weight: e.target.value })}
              className={`${pickLook} w-24`}
            />
            <Button
              aria-label={`Remove feature ${i + 1}`}
              disabled={form.weights.length === 1}
              onClick={() => put({ weights: form.weights.filter((x) => x.id !== w.id) })}
            >
              <Icon name="close" />
            </Button>
          </li>
        ))}
      </ul>
      <Button onClick={() => put({ weights: [...form.weights, weight()] })}>
        <Icon name="plus" />
        Add a feature
      </Button>
      <div className="max-w-xs pt-2">
        <Input
          label="Begins at"
          hint="Added to all of it. At 0 and nothing known the score is 0.5; lower numbers lower it."
          inputMode="decimal"
          value={form.intercept}
          onChange={(e) => put({ intercept: e.target.value })}
        />
      </div>
    </fieldset>
  );
}

function Formula({ profile, form, put }: Props) {
  const first = profile.entities[0]?.name ?? "";
  const names = (profile.features ?? [])
    .filter((f) => (f.entity ?? first) === (form.entity || first))
    .map((f) => f.name);
  return (
    <div className="max-w-2xl">
      <TextArea
        label="Formula"
        mono
        rows={3}
        spellCheck={false}
        placeholder={names.length > 1 ? `${names[0]} * 2 + ${names[1]}` : "visits_7d * 2"}
        hint={
          names.length > 0 ? `Features: ${names.join(", ")}` : "There is no feature yet; a formula is made of them."
        }
        value={form.sql}
        onChange={(e) => put({ sql: e.target.value })}
      />
    </div>
  );
}

function Place({ profile, form, put }: Props) {
  const columns = useColumns(profile);
  const found = columns.data?.find((i) => i.name === form.input)?.columns ?? [];
  const blank = { value: "", title: "choose…" };
  const kept = form.column !== "" && !found.some((c) => c.name === form.column) ? [form.column] : [];
  return (
    <div className="grid max-w-xl gap-5 sm:grid-cols-2">
      <Select
        label="Input"
        value={form.input}
        values={[blank, ...profile.inputs.map((i) => ({ value: i.name, title: plain(i.name) }))]}
        onChange={(input) => put({ input, column: "" })}
      />
      <Select
        label="Column"
        hint="The last value that is known of a customer is the score."
        value={form.column}
        values={[
          blank,
          ...kept.map((c) => ({ value: c, title: c })),
          ...found.map((c) => ({ value: c.name, title: c.name })),
        ]}
        onChange={(column) => put({ column })}
      />
    </div>
  );
}

const most = 1 << 20; // bytes of a model; see docs/profiles.md

function Trees({ form, put }: Props) {
  const [wrong, setWrong] = useState("");
  const read = async (file: File | undefined) => {
    if (!file) return;
    if (file.size > most) return setWrong(`${file.name} is longer than 1 MiB. Train fewer trees, or smaller ones.`);
    const trees = await file.text();
    setWrong("");
    put({ trees, library: trees.trimStart().startsWith("{") ? "xgboost" : "lightgbm" });
  };
  return (
    <div className="max-w-2xl space-y-5">
      <Labelled
        id="score-model"
        label="File of the model"
        hint="What LightGBM's save_model writes as text, or XGBoost's as JSON; 1 MiB at most."
        {...(wrong ? { problem: wrong } : {})}
      >
        <input
          id="score-model"
          type="file"
          accept=".txt,.json,text/plain,application/json"
          onChange={(e) => read(e.target.files?.[0])}
          className="block w-full text-sm file:mr-3 file:h-9 file:cursor-pointer file:rounded-lg file:border file:border-solid file:border-line file:bg-card file:px-3 file:text-ink"
        />
        {form.trees === "" ? null : (
          <p className="text-sm text-soft">
            There is a model of {form.library === "xgboost" ? "XGBoost" : "LightGBM"},{" "}
            {Math.max(1, Math.round(form.trees.length / 1024))} KiB.
          </p>
        )}
      </Labelled>
      <Input
        label="Features in the model's order"
        optional
        hint="Where the model calls its columns otherwise than the features here, with commas between."
        value={form.features}
        onChange={(e) => put({ features: e.target.value })}
      />
    </div>
  );
}
