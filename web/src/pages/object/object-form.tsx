import { useMutation } from "@tanstack/react-query";
import { type ReactNode, useEffect, useRef, useState } from "react";
import { difference } from "../../api/drafts";
import { isPulled, type Spec } from "../../api/tenants";
import type { Configured } from "../../draft/configured";
import { merge, type Objects, objectsOf, same, withEdit } from "../../draft/edits";
import { useHere, useWorkspace } from "../../frame/place";
import { Button } from "../../parts/button";
import { Check, Input } from "../../parts/input";
import { Notice } from "../../parts/notice";
import { Spinner } from "../../parts/spinner";
import { ForeignPlane, trust } from "../../seal/pins";
import { placeOf } from "../review/problems";
import { Trouble } from "../trouble";
import { ChoiceGroup } from "./choice-group";
import { FieldInput, put } from "./field-input";
import { wrong, wrongName } from "./kinds";
import { lacking, layoutOf, type Part, pathOf } from "./layout";
import { PullInput } from "./pull-input";
import { movedSecrets, sealed } from "./sealing";
import { SecretInput } from "./secret-input";
import { Setup } from "./setup";

type Holder = Objects["source"] | Objects["destination"];

type Props = {
  kind: "source" | "destination";
  spec: Spec;
  /** The object as the draft has it, or as a new one begins. */
  opened: Holder;
  isNew: boolean;
  configured: Configured;
  /** What the button says, and what happens with the object when it is whole; it is in the draft then. */
  act: string;
  onDone: (object: Holder, configured: Configured) => void;
  beside?: ReactNode;
  /** Of an object whose spec stands beside it. */
  own?: OwnSpec;
};

/** The text that declares spec, the kind that the object had when it was opened, and why it cannot be taken as it is. */
export type OwnSpec = { text: string; former: Spec | undefined; hindrance: string };

/** A source or destination of any kind, to make or to change. What is done goes into the draft, its secrets sealed. */
export function ObjectForm({ kind, spec, opened, isNew, configured, act, onDone, beside, own }: Props) {
  const { all } = useHere();
  const workspace = useWorkspace();
  const [named, setName] = useState<string>();
  const name = named ?? opened.name;
  const [settings, setSettings] = useState<Record<string, unknown>>(opened.settings ?? {});
  const [typed, setTyped] = useState<Record<string, string>>({});
  const [disabled, setDisabled] = useState(opened.disabled ?? false);
  const [pull, setPull] = useState("pull" in opened ? opened.pull : undefined);
  const [problems, setProblems] = useState<Record<string, string>>({});
  const form = useRef<HTMLFormElement>(null);
  useEffect(() => {
    if (Object.keys(problems).length > 0) form.current?.querySelector<HTMLElement>('[aria-invalid="true"]')?.focus();
  }, [problems]);
  const layout = layoutOf(spec);
  const published = objectsOf(configured.published, kind).find((o) =>
    opened.id ? o.id === opened.id : o.name === opened.name,
  ) as Holder | undefined;
  const taken = objectsOf(configured.document, kind)
    .map((o) => o.name)
    .filter((n) => isNew || n !== opened.name);
  const make = useMutation({
    mutationFn: async (): Promise<Holder | undefined> => {
      const found = check();
      if (Object.keys(found).length > 0) return void setProblems(found);
      const secrets = await sealed({ kind, spec, workspace, planes: all.planes, opened, published, settings, typed });
      const { pull: _, ...rest } = { pull: undefined, ...opened };
      const whole = clean({ ...rest, ...secrets, name, settings, disabled, ...(pull ? { pull } : {}) });
      const object = own ? declared({ ...whole, spec: own.text }, spec) : whole;
      const edits = withEdit(configured.draft.edits, {
        kind,
        key: opened.name,
        base: isNew ? null : (published ?? null),
        next: object,
      });
      const { document } = merge(configured.published, edits);
      const said = await difference({ document, discardParked: true });
      const mine: Record<string, string> = {};
      for (const p of said.problems) {
        const at = placeOf(p.path, document);
        if (at?.kind === kind && at.key === name) mine[at.field.replace(/^settings\./, "")] ??= p.text;
      }
      if (Object.keys(mine).length > 0) return void setProblems(mine);
      setProblems({});
      setTyped({});
      configured.edit(kind, opened.name, isNew ? null : (published ?? null), object);
      return object;
    },
    onSuccess: (object) => {
      if (object) onDone(object, configured);
    },
  });
  const check = (): Record<string, string> => {
    const found: Record<string, string> = {};
    const bad = wrongName(name, taken);
    if (bad) found.name = bad;
    for (const f of spec.fields ?? []) {
      const text = wrong(f, settings[f.name]);
      if (text) found[f.name] = text;
    }
    for (const f of spec.secrets ?? [])
      if (f.required && typed[f.name] === undefined && !opened.secrets?.[f.name])
        found[`secrets.${f.name}`] = `${f.title} is needed.`;
    const has = ({ secret, field: { name: n } }: Part) =>
      secret
        ? typed[n] !== undefined || opened.secrets?.[n] !== undefined
        : ![undefined, "", false].includes(settings[n] as string | undefined);
    for (const choice of [...layout.choices, ...layout.sealed])
      for (const [path, text] of Object.entries(lacking(choice, has))) found[path] ??= text;
    for (const field of movedSecrets(spec, opened, settings, own?.former))
      if (typed[field] === undefined)
        found[`secrets.${field}`] =
          "It would be sent to another place now. Give it again, so that nobody can lead it astray.";
    return found;
  };
  const fields = spec.fields ?? [];
  const secrets = spec.secrets ?? [];
  const root = (path: string) => (path.startsWith("secrets.") ? path : (path.split(/[.[]/)[0] ?? ""));
  const moreOpen = layout.more.some(
    (p) =>
      (!p.secret && settings[p.field.name] !== undefined) || Object.keys(problems).some((at) => root(at) === pathOf(p)),
  );
  const known = new Set(["name", ...fields.map((f) => f.name), ...secrets.map((f) => `secrets.${f.name}`)]);
  const ofPull = Object.entries(problems).find(([path]) => path.startsWith("pull"));
  const others = Object.entries(problems).filter(
    ([path]) => !known.has(path) && !known.has(root(path)) && !(isPulled(spec) && path.startsWith("pull")),
  );
  const changed =
    isNew ||
    name !== opened.name ||
    disabled !== (opened.disabled ?? false) ||
    !same(pull, "pull" in opened ? opened.pull : undefined) ||
    Object.keys(typed).length > 0 ||
    (own !== undefined && own.text !== opened.spec) ||
    !same(settings, opened.settings ?? {});
  const secretOf = (f: NonNullable<Spec["secrets"]>[number]) => (
    <SecretInput
      key={f.name}
      field={f}
      held={heldOf(opened, f.name)}
      typed={typed[f.name]}
      problem={problems[`secrets.${f.name}`]}
      onChange={(v) => setTyped((t) => put(t, f.name, v) as Record<string, string>)}
    />
  );
  const fieldOf = (f: NonNullable<Spec["fields"]>[number]) => (
    <FieldInput
      key={f.name}
      field={f}
      value={settings[f.name]}
      problems={problems}
      path={f.name}
      columns={spec.form?.columns?.[f.name]}
      onChange={(v) => setSettings((s) => put(s, f.name, v))}
    />
  );
  const draw = (p: Part) => (p.secret ? secretOf(p.field) : fieldOf(p.field));
  return (
    <form
      ref={form}
      noValidate
      className="max-w-2xl space-y-6"
      onSubmit={(e) => {
        e.preventDefault();
        make.mutate();
      }}
    >
      {isNew ? <Setup steps={spec.setup ?? []} title={spec.title} /> : null}
      <Input
        label="Name"
        value={name}
        onChange={(e) => setName(e.target.value)}
        {...(problems.name ? { problem: problems.name } : {})}
      />
      {layout.open.map(fieldOf)}
      {layout.choices.map((c) => (
        <ChoiceGroup key={c.doc} choice={c} draw={draw} />
      ))}
      {layout.secrets.length + layout.sealed.length > 0 ? (
        <section aria-label="Secrets" className="space-y-5 rounded-xl border border-line bg-card p-4">
          <p className="text-sm text-soft">
            Secrets are sealed in this browser for the data planes of region {workspace.region}; nobody else can open
            them.
          </p>
          {layout.sealed.map((c) => (
            <ChoiceGroup key={c.doc} choice={c} draw={draw} />
          ))}
          {layout.secrets.map(secretOf)}
        </section>
      ) : null}
      {isPulled(spec) ? (
        <PullInput streams={spec.streams ?? []} pull={pull} onChange={setPull} problem={ofPull?.[1]} />
      ) : null}
      {layout.more.length > 0 ? (
        <details open={moreOpen} className="group rounded-xl border border-line">
          <summary className="cursor-pointer rounded-xl px-4 py-3 text-sm font-medium hover:bg-sunken">
            More settings <span className="font-normal text-soft">({layout.more.length}, none of them needed)</span>
          </summary>
          <div className="space-y-6 border-t border-line p-4">{layout.more.map(draw)}</div>
        </details>
      ) : null}
      {isNew ? null : (
        <Check
          label="Disabled"
          hint={
            kind === "source"
              ? "Its events are refused."
              : "Its deliveries wait, and are sent when it is enabled again."
          }
          checked={disabled}
          onChange={setDisabled}
        />
      )}
      {others.length > 0 ? (
        <Notice tone="bad" title={others[0]?.[1] ?? ""}>
          {others.slice(1).map(([path, text]) => (
            <p key={path}>{text}</p>
          ))}
        </Notice>
      ) : null}
      {make.error ? <Failed error={make.error} onTrusted={() => make.mutate()} /> : null}
      <div className="flex flex-wrap items-center gap-3">
        <Button look="strong" type="submit" disabled={make.isPending || !changed || Boolean(own?.hindrance)}>
          {make.isPending ? <Spinner /> : null}
          {make.isPending ? (Object.keys(typed).length > 0 ? "Sealing…" : "Checking…") : act}
        </Button>
        {own?.hindrance ? <span className="text-sm text-soft">{own.hindrance}</span> : null}
        {beside}
      </div>
    </form>
  );
}

function Failed({ error, onTrusted }: { error: Error; onTrusted: () => void }) {
  return (
    <div className="space-y-2">
      <Trouble error={error} />
      {error instanceof ForeignPlane ? (
        <Button
          onClick={() => {
            trust(error.plane);
            onTrusted();
          }}
        >
          I compared them: trust {error.plane.name}
        </Button>
      ) : null}
    </div>
  );
}

function heldOf(o: Holder, field: string): "published" | "drafted" | undefined {
  const secret = o.secrets?.[field];
  if (!secret) return undefined;
  return secret.sealed ? "drafted" : "published";
}

/** Without settings and secrets that its spec no longer declares. */
function declared(o: Holder, spec: Spec): Holder {
  const only = <T,>(values: Readonly<Record<string, T>> | undefined, fields: Spec["fields"]) =>
    Object.fromEntries(Object.entries(values ?? {}).filter(([name]) => fields?.some((f) => f.name === name)));
  return clean({ ...o, settings: only(o.settings, spec.fields), secrets: only(o.secrets, spec.secrets) });
}

/** Without members that say nothing. */
function clean(o: Holder): Holder {
  const { settings, secrets, disabled, ...rest } = o;
  return {
    ...rest,
    ...(settings && Object.keys(settings).length > 0 ? { settings } : {}),
    ...(secrets && Object.keys(secrets).length > 0 ? { secrets } : {}),
    ...(disabled ? { disabled } : {}),
  } as Holder;
}
