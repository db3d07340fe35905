import { useState } from "react";
import type { Configured } from "../../draft/configured";
import { same } from "../../draft/edits";
import { Input } from "../../parts/input";
import { Section } from "../../parts/section";
import { Adding } from "../object/adding";
import { useAdd } from "../object/use-add";
import type { Profile } from "../profiles/use-set";
import { plain } from "../profiles/words";
import { RuleForm } from "./rule-form";
import { RulePreview } from "./rule-preview";

type Entity = Profile["entities"][number];
type Gate = NonNullable<Entity["gate"]>;

/** The rules by which customers are recognized, and what a build may change without asking. */
export function IdentityForm({ configured, opened }: { configured: Configured; opened: Profile }) {
  const [profile, setProfile] = useState(opened);
  const [saved, setSaved] = useState(opened);
  const { add, problems } = useAdd({
    kind: "profile",
    configured,
    key: opened.name,
    isNew: false,
    onDone: (p) => setSaved(p),
  });
  const shown: string[] = [];
  const below = (i: number) => {
    const before = `entities[${i}].`;
    const own = Object.entries(problems).filter(([at]) => at.startsWith(before));
    shown.push(...own.map(([at]) => at));
    return Object.fromEntries(own.map(([at, text]) => [at.slice(before.length), text]));
  };
  const put = (i: number, e: Entity) =>
    setProfile((p) => ({ ...p, entities: p.entities.map((x, k) => (k === i ? e : x)) }));
  const parts = profile.entities.map((e, i) => {
    const own = below(i);
    return (
      <Section
        key={e.name}
        title={profile.entities.length > 1 ? `Identifiers of ${plain(e.name)}` : "Identifiers"}
        hint="Strongest first: a row belongs to the customer of its strongest identifier."
      >
        <RuleForm entity={e} problems={own} onChange={(next) => put(i, next)} />
        <GateForm gate={e.gate ?? {}} problems={own} onChange={(gate) => put(i, withGate(e, gate))} />
      </Section>
    );
  });
  const next = { ...latest(configured, opened), entities: profile.entities };
  return (
    <form
      noValidate
      className="max-w-4xl space-y-8"
      onSubmit={(e) => {
        e.preventDefault();
        const found: Record<string, string> = {};
        profile.entities.forEach((x, i) => {
          x.ids.forEach((t, k) => {
            if (t.name === "") found[`entities[${i}].ids[${k}].name`] = "Give it a name.";
          });
        });
        add.mutate({ object: clean(next), found });
      }}
    >
      {parts}
      {same(profile.entities, opened.entities) ? null : (
        <RulePreview profile={opened.name} entities={clean(next).entities} inputs={next.inputs} />
      )}
      <Adding
        pending={add.isPending}
        disabled={same(profile.entities, saved.entities)}
        error={add.error}
        others={Object.entries(problems)
          .filter(([at]) => !shown.includes(at))
          .map(([, text]) => text)}
      />
    </form>
  );
}

/** The profile as the draft has it now: its inputs, features and audiences may have changed since the form opened. */
function latest(configured: Configured, opened: Profile): Profile {
  return configured.document.profiles?.find((p) => p.name === opened.name) ?? opened;
}

function clean(p: Profile): Profile {
  const blocked = (block: string[]) => block.map((b) => b.trim()).filter((b) => b !== "");
  return {
    ...p,
    entities: p.entities.map((e) => ({
      ...e,
      ids: e.ids.map((t) => (t.block ? { ...t, block: blocked(t.block) } : t)),
    })),
  };
}

function withGate({ gate: _, ...rest }: Entity, gate: { [K in keyof Gate]?: Gate[K] | undefined }): Entity {
  const set = Object.fromEntries(Object.entries(gate).filter(([, v]) => v !== undefined)) as Gate;
  return Object.keys(set).length > 0 ? { ...rest, gate: set } : rest;
}

/** With one share of reviewed pairs set; without both nothing is asked of them. */
function share(of: Gate["reviewed"], name: "precision" | "recall", text: string): Gate["reviewed"] {
  const { [name]: _, ...rest } = of ?? {};
  const next = text.trim() === "" ? rest : { ...rest, [name]: text.trim() };
  return Object.keys(next).length > 0 ? next : undefined;
}

type GateProps = {
  gate: Gate;
  problems: Readonly<Record<string, string>>;
  onChange: (g: { [K in keyof Gate]?: Gate[K] | undefined }) => void;
};

/** What a build may change before it waits for a person. */
function GateForm({ gate, problems, onChange }: GateProps) {
  const problem = (field: string) => (problems[field] ? { problem: problems[field] } : {});
  return (
    <fieldset className="space-y-3">
      <legend className="text-sm font-medium">A build waits for a person when</legend>
      <div className="grid gap-4 sm:grid-cols-3">
        <Input
          label="A customer has more identifiers than"
          optional
          inputMode="numeric"
          placeholder="200"
          value={gate.largest ?? ""}
          onChange={(e) =>
            onChange({ ...gate, largest: Number(e.target.value.replace(/\D/g, "").slice(0, 9)) || undefined })
          }
          {...problem("gate.largest")}
        />
        <Input
          label="More identifiers move than"
          optional
          placeholder="2%"
          value={gate.moved ?? ""}
          onChange={(e) => onChange({ ...gate, moved: e.target.value.trim() || undefined })}
          {...problem("gate.moved")}
        />
        <Input
          label="More customers are gone than"
          optional
          placeholder="1%"
          value={gate.gone ?? ""}
          onChange={(e) => onChange({ ...gate, gone: e.target.value.trim() || undefined })}
          {...problem("gate.gone")}
        />
        <Input
          label="Of reviewed pairs it joins, fewer are one than"
          optional
          placeholder="98%"
          value={gate.reviewed?.precision ?? ""}
          onChange={(e) => onChange({ ...gate, reviewed: share(gate.reviewed, "precision", e.target.value) })}
          {...problem("gate.reviewed.precision")}
        />
        <Input
          label="Of reviewed pairs that are one, it joins fewer than"
          optional
          placeholder="95%"
          value={gate.reviewed?.recall ?? ""}
          onChange={(e) => onChange({ ...gate, reviewed: share(gate.reviewed, "recall", e.target.value) })}
          {...problem("gate.reviewed.recall")}
        />
      </div>
    </fieldset>
  );
}
