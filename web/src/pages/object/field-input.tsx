import type { Field } from "../../api/tenants";
import { Check, Input, Select, TextArea } from "../../parts/input";
import { problemOf } from "./layout";
import { Pairs } from "./pairs";

type Props = {
  field: Field;
  value: unknown;
  onChange: (value: unknown) => void;
  /** What is wrong, by the path below the settings. */
  problems: Readonly<Record<string, string>>;
  path: string;
  /** Of a map: what its names and its values are. */
  columns?: readonly string[] | undefined;
};

/** One setting of any kind of object, as its declaration in the catalogue says. */
export function FieldInput({ field: f, value, onChange, problems, path, columns }: Props) {
  const problem = f.type === "object" ? problems[path] : problemOf(problems, path);
  const common = {
    label: f.title,
    optional: !f.required,
    ...(f.doc ? { hint: f.doc } : {}),
    ...(problem ? { problem } : {}),
  };
  const absent = f.default === undefined ? "" : `${show(f.default)} unless you change it`;
  switch (f.type) {
    case "boolean":
      return (
        <Check
          label={f.title}
          hint={f.doc}
          problem={problem}
          checked={typeof value === "boolean" ? value : f.default === true}
          onChange={(v) => onChange(v === (f.default ?? false) ? undefined : v)}
        />
      );
    case "enum":
      return (
        <Select
          {...common}
          value={typeof value === "string" ? value : ""}
          values={[
            { value: "", title: f.default === undefined ? "Choose…" : `${show(f.default)} (default)` },
            ...(f.enum ?? []).filter((v) => v !== f.default || value === v).map((v) => ({ value: v, title: v })),
          ]}
          onChange={(v) => onChange(v === "" ? undefined : v)}
        />
      );
    case "integer":
      return (
        <Input
          {...common}
          type="number"
          inputMode="numeric"
          min={f.min}
          max={f.max}
          placeholder={absent}
          value={typeof value === "number" ? value : ""}
          onChange={(e) => onChange(e.target.value === "" ? undefined : Number(e.target.value))}
        />
      );
    case "strings":
      return <Strings field={f} value={value} common={common} onChange={onChange} />;
    case "map":
    case "values":
      return (
        <Pairs
          {...common}
          json={f.type === "values"}
          columns={columns}
          value={isRecord(value) ? value : {}}
          onChange={(v) => onChange(Object.keys(v).length === 0 ? undefined : v)}
        />
      );
    case "object":
      return <ObjectInput field={f} value={value} onChange={onChange} problems={problems} path={path} />;
    default:
      return (f.max ?? 0) > 1024 && f.type === "string" ? (
        <TextArea {...common} mono value={text(value)} onChange={(e) => onChange(e.target.value || undefined)} />
      ) : (
        <Input
          {...common}
          type={f.type === "url" ? "url" : "text"}
          placeholder={f.type === "url" && absent === "" ? "https://" : absent}
          value={text(value)}
          onChange={(e) => onChange(e.target.value || undefined)}
        />
      );
  }
}

type StringsProps = {
  field: Field;
  value: unknown;
  common: { label: string; optional: boolean; hint?: string; problem?: string };
  onChange: (v: unknown) => void;
};

function Strings({ field, value, common, onChange }: StringsProps) {
  const list = Array.isArray(value) ? value.map(String) : [];
  return (
    <TextArea
      {...common}
      hint={[common.hint, "One a line."].filter(Boolean).join(" ")}
      rows={Math.max(2, Math.min(8, list.length + 1))}
      placeholder={Array.isArray(field.default) ? field.default.join("\n") : ""}
      value={list.join("\n")}
      onChange={(e) => onChange(e.target.value === "" ? undefined : e.target.value.split("\n"))}
      onBlur={() => {
        const clean = list.map((s) => s.trim()).filter((s) => s !== "");
        onChange(clean.length === 0 ? undefined : clean);
      }}
    />
  );
}

function ObjectInput({ field, value, onChange, problems, path }: Props) {
  const now = isRecord(value) ? value : {};
  const on = isRecord(value);
  return (
    <fieldset className="space-y-4 rounded-lg border border-line p-4">
      <legend className="px-1 text-sm font-medium">{field.title}</legend>
      {field.doc ? <p className="-mt-2 text-sm text-soft">{field.doc}</p> : null}
      {problems[path] ? (
        <p role="alert" className="text-sm text-bad">
          {problems[path]}
        </p>
      ) : null}
      {field.required ? null : (
        <Check label="Set this" checked={on} onChange={(set) => onChange(set ? {} : undefined)} />
      )}
      {on || field.required
        ? (field.fields ?? []).map((f) => (
            <FieldInput
              key={f.name}
              field={f}
              value={now[f.name]}
              problems={problems}
              path={`${path}.${f.name}`}
              onChange={(v) => onChange(put(now, f.name, v))}
            />
          ))
        : null}
    </fieldset>
  );
}

/** The object with one member changed; undefined removes it. */
export function put(object: Readonly<Record<string, unknown>>, name: string, value: unknown): Record<string, unknown> {
  const { [name]: _, ...rest } = object;
  return value === undefined ? rest : { ...rest, [name]: value };
}

export function isRecord(v: unknown): v is Record<string, unknown> {
  return typeof v === "object" && v !== null && !Array.isArray(v);
}

function text(v: unknown): string {
  return v === undefined || v === null ? "" : String(v);
}

function show(v: unknown): string {
  return typeof v === "string" ? v : JSON.stringify(v);
}
