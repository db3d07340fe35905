import type { Field, Spec } from "../../api/tenants";

/** A setting or a secret in a form. */
export type Part = { secret: boolean; field: Field };

/** Parts of which those of one way are needed. */
export type Choice = {
  doc: string;
  ways: Part[][];
  /** What is given beside one way does no harm. */
  several?: boolean | undefined;
  /** With which none of them is needed. */
  unless?: Part | undefined;
};

/** Where the settings and secrets of a kind stand: in the open, or among more. */
export type Layout = {
  open: Field[];
  choices: Choice[];
  secrets: Field[];
  /** Choices that a secret is part of. */
  sealed: Choice[];
  more: Part[];
};

// Of every kind with TLS; the one is of no use without the other.
const [certificate, certificateKey] = ["sslCert", "sslKey"];
const asSecret = (field: Field): Part => ({ secret: true, field });

/** How the form of a kind is laid out, as its declaration in the catalogue says. */
export function layoutOf(spec: Spec): Layout {
  const [fields, secrets] = [spec.fields ?? [], spec.secrets ?? []];
  const partOf = (name: string): Part[] => {
    const setting = fields.find((f) => f.name === name);
    const found = setting ?? secrets.find((f) => f.name === name);
    return found ? [{ secret: setting === undefined, field: { ...found, required: true } }] : [];
  };
  const all = (spec.form?.choices ?? []).map(
    (c): Choice => ({
      doc: c.doc,
      ways: c.of.map((w) => w.flatMap(partOf)),
      ...(c.several ? { several: true } : {}),
      ...(c.unless ? { unless: partOf(c.unless)[0] } : {}),
    }),
  );
  const chosen = new Set(all.flatMap((c) => c.ways.flat().map(pathOf)));
  const free = (secret: boolean) => (f: Field) => !chosen.has(pathOf({ secret, field: f }));
  const open = fields.filter(free(false)).filter((f) => f.required || spec.form?.open?.includes(f.name));
  const named = secrets
    .filter(free(true))
    .filter((f) => f.required || secrets.length === 1 || !/^ssl/.test(f.name))
    .sort((a, b) => Number(b.required ?? false) - Number(a.required ?? false));
  const hidden = secrets.filter((f) => free(true)(f) && !named.includes(f));
  const isSealed = (c: Choice) => c.ways.flat().some((p) => p.secret);
  return {
    open,
    choices: all.filter((c) => !isSealed(c)),
    secrets: named,
    sealed: all.filter(isSealed),
    more: [
      ...fields
        .filter((f) => free(false)(f) && !open.includes(f))
        .flatMap((field) => [
          { secret: false, field },
          ...(field.name === certificate ? hidden.filter((f) => f.name === certificateKey).map(asSecret) : []),
        ]),
      ...hidden.filter((f) => f.name !== certificateKey || !fields.some((x) => x.name === certificate)).map(asSecret),
    ],
  };
}

/** The path of a part's problems. */
export function pathOf({ secret, field }: Part): string {
  return secret ? `secrets.${field.name}` : field.name;
}

/** What is wrong with what was given of a choice, by path. */
export function lacking(choice: Choice, has: (part: Part) => boolean): Record<string, string> {
  const whole = choice.ways.filter((w) => w.every(has));
  const sealed = choice.ways.flat().some((p) => p.secret);
  if (whole.length === 1 || (whole.length > 1 && (choice.several || sealed))) return {};
  if (whole.length === 0 && choice.unless && has(choice.unless)) return {};
  const [, second] = whole;
  if (second?.[0]) return { [pathOf(second[0])]: "Give only one of them." };
  const begun = choice.ways.find((w) => w.some(has));
  const first = choice.ways[0]?.[0];
  if (!begun) return first ? { [pathOf(first)]: "One of these is needed." } : {};
  return Object.fromEntries(
    begun.filter((p) => !has(p)).map((p) => [pathOf(p), `${p.field.title} is needed with what you gave beside it.`]),
  );
}

/** What is wrong with the value at a path: with itself, or with a member of it, which is named. */
export function problemOf(problems: Readonly<Record<string, string>>, path: string): string | undefined {
  if (problems[path]) return problems[path];
  const within = Object.keys(problems).find((p) => p.startsWith(`${path}.`) || p.startsWith(`${path}[`));
  if (within === undefined) return undefined;
  const rest = within.slice(path.length);
  const line = /^\[(\d+)\]$/.exec(rest)?.[1];
  return `${line ? `Line ${Number(line) + 1}` : rest.replace(/^\./, "")}: ${problems[within]}`;
}
