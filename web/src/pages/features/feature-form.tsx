import { useState } from "react";
import type { Feature } from "../../api/profiles";
import type { Configured } from "../../draft/configured";
import { useWorkspace } from "../../frame/place";
import { Input } from "../../parts/input";
import { useQueryText } from "../../parts/path";
import { count } from "../flow";
import { Adding } from "../object/adding";
import { quoted } from "../plane-trouble";
import { Distribution } from "../profiles/distribution";
import { Examples } from "../profiles/examples";
import { Lineage } from "../profiles/lineage";
import { PreviewFrame } from "../profiles/preview-frame";
import { useMember, withMember } from "../profiles/use-member";
import { usePreview } from "../profiles/use-preview";
import { columnType, type Profile, useColumns } from "../profiles/use-set";
import { featureText } from "../profiles/words";
import { type Form, featureOf, formOf, incomplete, missing, of, suggested } from "./form";
import { MissingRows } from "./missing-rows";
import { Sentence } from "./sentence";

type Props = {
  configured: Configured;
  profile: Profile;
  /** Absent for a new one. */
  opened?: Feature;
  query: string;
  onDone: (name: string) => void;
};

/** A feature to make or to change, in one sentence, with what it is for everybody as the plane counts it. */
export function FeatureForm({ configured, profile, opened, query, onDone }: Props) {
  const workspace = useWorkspace();
  const columns = useColumns(profile);
  const rows = new URLSearchParams(useQueryText()).get("rows");
  const wanted = profile.inputs.find((i) => i.name === rows)?.name;
  const [form, setForm] = useState<Form>(() => formOf(opened, wanted ?? profile.inputs[0]?.name ?? ""));
  const { add, problems } = useMember({ list: "features", configured, profile, was: opened?.name, onDone });
  const others = (profile.features ?? []).map((f) => f.name).filter((n) => n !== opened?.name);
  const taken = [...others, ...(profile.scores ?? []).map((s) => s.name)];
  const put = (change: Partial<Form>) =>
    setForm((f) => {
      const next = { ...f, ...change };
      return next.named ? next : { ...next, name: suggested(next, taken) };
    });
  const first = profile.entities[0]?.name ?? "";
  const usable = (profile.features ?? [])
    .filter((f) => f.name !== opened?.name && (f.entity ?? first) === (form.entity || first))
    .map((f) => f.name);
  const feature = featureOf(form, (name, input) => columnType(columns.data, input, name));
  const needs = incomplete(form);
  const shown = {
    ...feature,
    name: feature.name === "" || taken.includes(feature.name) ? "this_feature" : feature.name,
  };
  const unsaved = { features: withMember(profile, "features", opened?.name, shown).features ?? [] };
  const preview = usePreview(profile.name, shown.name, needs === "" ? { ...unsaved, audiences: [] } : undefined);
  const against = Object.entries(problems).filter(([at]) => at !== "name");
  return (
    <div className="grid items-start gap-6 lg:grid-cols-[minmax(0,3fr)_minmax(0,2fr)]">
      <form
        noValidate
        className="space-y-6"
        onSubmit={(e) => {
          e.preventDefault();
          add.mutate({ object: feature, found: missing(form, taken) });
        }}
      >
        <Sentence profile={profile} columns={columns.data} form={form} features={usable} put={put} />
        {of(form.kind) !== "features" ? (
          <MissingRows configured={configured} profile={profile} input={form.input} query={query} />
        ) : null}
        {needs === "" ? (
          <p className="rounded-lg bg-sunken px-3.5 py-2.5 text-sm">
            <span className="sr-only">In words: </span>
            {featureText(feature)}
          </p>
        ) : null}
        <div className="max-w-sm">
          <Input
            label="Name"
            hint="What it is called where it is used, such as in audiences and in tools."
            value={form.name}
            onChange={(e) => put({ name: e.target.value, named: true })}
            {...(problems.name ? { problem: problems.name } : {})}
          />
        </div>
        <Adding pending={add.isPending} error={add.error} others={against.map(([, text]) => text)} />
      </form>
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
                <strong className="tabular-nums">{count(p.known)}</strong> of {count(p.persons)} customers have a value
                {p.sampled ? ", of a sample" : ""}
                {p.numbers ? `; the mean is ${count(Math.round(p.numbers.mean * 100) / 100)}` : ""}.
              </p>
              <Distribution preview={p} />
              <Examples rows={p.rows} name={form.name || "value"} query={query} />
              <Lineage columns={p.lineage} />
            </>
          )
        }
      </PreviewFrame>
    </div>
  );
}
