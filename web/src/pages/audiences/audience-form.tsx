import { useState } from "react";
import type { Audience } from "../../api/profiles";
import type { Configured } from "../../draft/configured";
import { useWorkspace } from "../../frame/place";
import { Input, Select } from "../../parts/input";
import { count } from "../flow";
import { Adding } from "../object/adding";
import { freeName } from "../object/kinds";
import { quoted } from "../plane-trouble";
import { type Conditions, conditionsOf, one, whereOf, wrongRow } from "../profiles/conditions";
import { Examples } from "../profiles/examples";
import { Lineage } from "../profiles/lineage";
import { PreviewFrame } from "../profiles/preview-frame";
import { useMember, wrongMemberName } from "../profiles/use-member";
import { usePreview } from "../profiles/use-preview";
import { columnType, featureType, type Profile, useColumns } from "../profiles/use-set";
import { plain } from "../profiles/words";
import { ConditionList } from "./condition-list";

type Props = {
  configured: Configured;
  profile: Profile;
  /** Absent for a new one. */
  opened?: Audience;
  query: string;
  onDone: (name: string) => void;
};

/** An audience to make or to change, with how many customers it and each of its conditions has. */
export function AudienceForm({ configured, profile, opened, query, onDone }: Props) {
  const workspace = useWorkspace();
  const columns = useColumns(profile);
  const taken = (profile.audiences ?? []).map((a) => a.name).filter((n) => n !== opened?.name);
  const [name, setName] = useState(opened?.name ?? freeName("audience", taken).replace("-", "_"));
  const [entity, setEntity] = useState(opened?.entity ?? "");
  const [conditions, setConditions] = useState<Conditions>(() => conditionsOf(opened?.where));
  const { add, problems } = useMember({ list: "audiences", configured, profile, was: opened?.name, onDone });
  const first = profile.entities[0]?.name ?? "";
  const features = (profile.features ?? []).filter((f) => (f.entity ?? first) === (entity || first));
  const scores = (profile.scores ?? []).filter((x) => (x.entity ?? first) === (entity || first));
  const typeOf = (of: string, input: string) => {
    if (input !== "") return columnType(columns.data, input, of);
    return scores.some((x) => x.name === of) ? "number" : featureType(features, columns.data, of);
  };
  const where = whereOf(conditions, typeOf);
  const audience: Audience = { name, ...(entity === "" ? {} : { entity }), where: where ?? {} };
  const needs = incomplete(conditions);
  const shown = { ...audience, name: wrongMemberName(name, taken) === "" ? name : "this_audience" };
  const unsaved = {
    features: profile.features ?? [],
    ...(profile.scores ? { scores: profile.scores } : {}),
    audiences: [shown],
    conditions: conditions.rows.map((r) => one(r, typeOf)),
  };
  const preview = usePreview(profile.name, shown.name, needs === "" ? unsaved : undefined);
  const current = preview.isPlaceholderData || preview.error ? undefined : preview.data;
  const others = Object.entries(problems).filter(([at]) => at !== "name");
  return (
    <div className="grid items-start gap-6 lg:grid-cols-[minmax(0,2fr)_minmax(0,1fr)]">
      <form
        noValidate
        className="space-y-6"
        onSubmit={(e) => {
          e.preventDefault();
          const wrong = wrongMemberName(name, taken);
          const found: Record<string, string> = { ...(wrong ? { name: wrong } : {}), ...(needs ? { "": needs } : {}) };
          add.mutate({ object: audience, found });
        }}
      >
        <div className="grid max-w-xl gap-5 sm:grid-cols-2">
          <Input
            label="Name"
            value={name}
            onChange={(e) => setName(e.target.value)}
            {...(problems.name ? { problem: problems.name } : {})}
          />
          {profile.entities.length > 1 ? (
            <Select
              label="Of"
              value={entity || first}
              values={profile.entities.map((e) => ({ value: e.name, title: plain(e.name) }))}
              onChange={(e) => setEntity(e === first ? "" : e)}
            />
          ) : null}
        </div>
        <ConditionList
          profile={profile}
          columns={columns.data}
          features={[...features, ...scores].map((f) => ({
            name: f.name,
            title: plain(f.name),
            type: typeOf(f.name, ""),
          }))}
          conditions={conditions}
          sizes={needs === "" ? current?.parts : undefined}
          onChange={setConditions}
        />
        <Adding pending={add.isPending} error={add.error} others={others.map(([, text]) => text)} />
      </form>
      <PreviewFrame
        preview={preview}
        needs={needs}
        command={`weir audience preview ${quoted(opened?.name ?? "NAME")} --workspace ${quoted(workspace.name)}`}
      >
        {(p) =>
          p.persons === 0 ? (
            <p className="text-sm text-soft">There is no customer yet: the first run of the profiles makes them.</p>
          ) : (
            <>
              <p className="text-sm">
                <strong className="block text-3xl font-semibold tracking-tight tabular-nums">{count(p.known)}</strong>
                of {count(p.persons)} customers, {share(p.known, p.persons)}
                {p.sampled ? " of a sample" : ""}
              </p>
              <div aria-hidden="true" className="h-2 overflow-hidden rounded-full bg-sunken">
                <div className="h-full bg-accent" style={{ width: `${(100 * p.known) / p.persons}%` }} />
              </div>
              <Examples rows={p.rows} query={query} />
              <Lineage columns={p.lineage} />
            </>
          )
        }
      </PreviewFrame>
    </div>
  );
}

const percent = new Intl.NumberFormat(undefined, { style: "percent", maximumFractionDigits: 1 });

function share(n: number, of: number): string {
  return percent.format(n / of);
}

/** Why conditions cannot be counted yet; "" when they can. */
function incomplete({ rows }: Conditions): string {
  if (rows.length === 0) return "Add a condition: what is known of them, or what they did.";
  for (const r of rows) {
    if (r.what === "did" && (r.times < 1 || /^[mhdw]$/.test(r.last))) return "Give a number.";
    const wrong = wrongRow(r);
    if (wrong) return wrong;
  }
  return "";
}
