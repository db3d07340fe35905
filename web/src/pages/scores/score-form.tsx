import { useState } from "react";
import type { Score } from "../../api/profiles";
import type { Configured } from "../../draft/configured";
import { useWorkspace } from "../../frame/place";
import { Input, Select } from "../../parts/input";
import { count } from "../flow";
import { Adding } from "../object/adding";
import { quoted } from "../plane-trouble";
import { Distribution } from "../profiles/distribution";
import { Examples } from "../profiles/examples";
import { Lineage } from "../profiles/lineage";
import { PreviewFrame } from "../profiles/preview-frame";
import { useMember, withMember } from "../profiles/use-member";
import { usePreview } from "../profiles/use-preview";
import type { Profile } from "../profiles/use-set";
import { plain } from "../profiles/words";
import { type Form, formOf, incomplete, missing, scoreOf } from "./form";
import { Lessons } from "./learned-fields";
import { ModelFields } from "./model-fields";
import { ways } from "./words";

type Props = {
  configured: Configured;
  profile: Profile;
  /** Absent for a new one. */
  opened?: Score;
  query: string;
  onDone: (name: string) => void;
};

/** A score to make or to change, with what it is for everybody as the plane computes it. */
export function ScoreForm({ configured, profile, opened, query, onDone }: Props) {
  const workspace = useWorkspace();
  const [form, setForm] = useState<Form>(() => formOf(opened));
  const put = (change: Partial<Form>) => setForm((f) => ({ ...f, ...change }));
  const { add, problems } = useMember({ list: "scores", configured, profile, was: opened?.name, onDone });
  const taken = [...(profile.features ?? []), ...(profile.scores ?? [])]
    .map((m) => m.name)
    .filter((n) => n !== opened?.name);
  const score = scoreOf(form);
  const needs = incomplete(form);
  const shown = { ...score, name: score.name === "" || taken.includes(score.name) ? "this_score" : score.name };
  const unsaved = {
    features: profile.features ?? [],
    scores: withMember(profile, "scores", opened?.name, shown).scores ?? [],
    audiences: [],
  };
  const preview = usePreview(profile.name, shown.name, needs === "" && form.way !== "learned" ? unsaved : undefined);
  const first = profile.entities[0]?.name ?? "";
  const others = Object.entries(problems).filter(([at]) => at !== "name");
  return (
    <div className="grid items-start gap-6 lg:grid-cols-[minmax(0,3fr)_minmax(0,2fr)]">
      <form
        noValidate
        className="space-y-6"
        onSubmit={(e) => {
          e.preventDefault();
          add.mutate({ object: score, found: missing(form, taken) });
        }}
      >
        <div className="grid max-w-xl gap-5 sm:grid-cols-2">
          <Input
            label="Name"
            hint="Such as churn."
            value={form.name}
            onChange={(e) => put({ name: e.target.value })}
            {...(problems.name ? { problem: problems.name } : {})}
          />
          {profile.entities.length > 1 ? (
            <Select
              label="Of"
              value={form.entity || first}
              values={profile.entities.map((e) => ({ value: e.name, title: plain(e.name) }))}
              onChange={(e) => put({ entity: e === first ? "" : e })}
            />
          ) : null}
        </div>
        <fieldset className="space-y-2">
          <legend className="mb-2 text-sm font-medium">How it is computed</legend>
          <div className="grid max-w-2xl gap-2 sm:grid-cols-2">
            {ways.map((m) => (
              <label
                key={m.way}
                className="flex cursor-pointer gap-3 rounded-xl border border-line bg-card p-3 text-sm has-checked:border-accent has-checked:bg-accent-wash"
              >
                <input
                  type="radio"
                  name="way"
                  className="mt-0.5 size-4 shrink-0 accent-accent"
                  aria-label={m.title}
                  checked={form.way === m.way}
                  onChange={() => put({ way: m.way })}
                />
                <span>
                  <span className="block font-medium">{m.title}</span>
                  <span className="block text-soft">{m.about}</span>
                </span>
              </label>
            ))}
          </div>
        </fieldset>
        <ModelFields profile={profile} form={form} put={put} />
        <Adding pending={add.isPending} error={add.error} others={others.map(([, text]) => text)} />
      </form>
      {form.way === "learned" ? (
        <Lessons />
      ) : (
        <PreviewFrame
          preview={preview}
          needs={needs}
          command={`weir profiles preview ${quoted(opened?.name ?? "NAME")} --workspace ${quoted(workspace.name)}`}
        >
          {(p) =>
            p.persons === 0 ? (
              <p className="text-sm text-soft">There is no customer yet: the first run of the profiles makes them.</p>
            ) : (
              <>
                <p className="text-sm">
                  <strong className="tabular-nums">{count(p.known)}</strong> of {count(p.persons)} customers have it
                  {p.sampled ? ", of a sample" : ""}
                  {p.numbers ? `; the mean is ${count(Math.round(p.numbers.mean * 1000) / 1000)}` : ""}.
                </p>
                <Distribution preview={p} />
                <Examples rows={p.rows} name={form.name || "value"} query={query} />
                <Lineage columns={p.lineage} />
              </>
            )
          }
        </PreviewFrame>
      )}
    </div>
  );
}
