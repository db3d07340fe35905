import { Button } from "../../parts/button";
import { Icon } from "../../parts/icon";
import { Check, Input, Select, TextArea } from "../../parts/input";
import type { Profile } from "../profiles/use-set";
import { plain } from "../profiles/words";

type Entity = Profile["entities"][number];
type Identifier = Entity["ids"][number];

type Props = {
  entity: Entity;
  /** What is wrong, by field such as ids[0].expire. */
  problems: Readonly<Record<string, string>>;
  onChange: (e: Entity) => void;
};

const cleanings = [
  { value: "", title: "as they are" },
  { value: "email", title: "as e-mail addresses" },
  { value: "text", title: "in small letters" },
  { value: "domain", title: "as domains" },
  { value: "phone", title: "as phone numbers" },
];

/** The identifiers of an entity, strongest first, with the rules of each. */
export function RuleForm({ entity, problems, onChange }: Props) {
  const { ids } = entity;
  const put = (i: number, change: { [K in keyof Identifier]?: Identifier[K] | undefined }) =>
    onChange({ ...entity, ids: ids.map((t, k) => (k === i ? without({ ...t, ...change }) : t)) });
  const move = (i: number, by: -1 | 1) => {
    const next = [...ids];
    const [one] = next.splice(i, 1);
    if (one) next.splice(i + by, 0, one);
    onChange({ ...entity, ids: next });
  };
  const problem = (field: string) => (problems[field] ? { problem: problems[field] } : {});
  return (
    <div className="space-y-4">
      <ol className="space-y-3">
        {ids.map((t, i) => (
          // biome-ignore lint/suspicious/noArrayIndexKey: a name changes while it is typed
          <li key={i} className="rounded-xl border border-line bg-card p-4 shadow-xs">
            <div className="flex flex-wrap items-end gap-4">
              <div className="w-44">
                <Input
                  label={`Identifier ${i + 1}`}
                  value={t.name}
                  onChange={(e) => put(i, { name: e.target.value })}
                  {...problem(`ids[${i}].name`)}
                />
              </div>
              <div className="min-w-52 flex-1 pb-1.5">
                <Check
                  label="One customer has at most one"
                  hint="Two values never become one customer."
                  checked={t.unique ?? false}
                  onChange={(unique) => put(i, { unique: unique || undefined })}
                />
              </div>
              <span className="flex gap-1 pb-0.5">
                <Button aria-label={`Make ${t.name} stronger`} disabled={i === 0} onClick={() => move(i, -1)}>
                  ↑
                </Button>
                <Button aria-label={`Make ${t.name} weaker`} disabled={i === ids.length - 1} onClick={() => move(i, 1)}>
                  ↓
                </Button>
                <Button
                  aria-label={`Remove identifier ${t.name}`}
                  disabled={ids.length === 1}
                  onClick={() => onChange({ ...entity, ids: ids.filter((_, k) => k !== i) })}
                >
                  <Icon name="close" />
                </Button>
              </span>
            </div>
            <details className="mt-3 text-sm" open={Object.keys(problems).some((p) => p.startsWith(`ids[${i}]`))}>
              <summary className="cursor-pointer text-soft">{rulesText(t)}</summary>
              <div className="mt-3 grid gap-4 sm:grid-cols-2">
                <Select
                  label="Values are compared"
                  value={t.clean ?? ""}
                  values={cleanings}
                  onChange={(v) => put(i, { clean: v === "" ? undefined : (v as NonNullable<Identifier["clean"]>) })}
                />
                {t.clean === "phone" ? (
                  <Input
                    label="Country of numbers without one"
                    hint="Its calling code, such as 49."
                    value={t.country ?? ""}
                    onChange={(e) => put(i, { country: e.target.value || undefined })}
                    {...problem(`ids[${i}].country`)}
                  />
                ) : null}
                <Input
                  label="Forget a link after"
                  optional
                  placeholder="400d"
                  hint="When two identifiers were not seen together again for so long, such as 400d."
                  value={t.expire ?? ""}
                  onChange={(e) => put(i, { expire: e.target.value.trim() || undefined })}
                  {...problem(`ids[${i}].expire`)}
                />
                <Input
                  label="Only values like"
                  optional
                  placeholder="cus_*"
                  hint="With * for any text; others are no identifiers."
                  value={t.match ?? ""}
                  onChange={(e) => put(i, { match: e.target.value || undefined })}
                  {...problem(`ids[${i}].match`)}
                />
                <TextArea
                  label="Values that are nobody's"
                  optional
                  hint="One a line, with * for any text, such as *@example.com."
                  rows={Math.max(2, Math.min(6, (t.block ?? []).length + 1))}
                  value={(t.block ?? []).join("\n")}
                  onChange={(e) => put(i, { block: e.target.value === "" ? undefined : e.target.value.split("\n") })}
                  {...problem(`ids[${i}].block`)}
                />
                <Limits ids={ids} of={t} onChange={(limit) => put(i, { limit })} {...problem(`ids[${i}].limit`)} />
              </div>
            </details>
          </li>
        ))}
      </ol>
      <Button onClick={() => onChange({ ...entity, ids: [...ids, { name: "" }] })}>
        <Icon name="plus" />
        Add an identifier
      </Button>
    </div>
  );
}

/** With how many identifiers of others one may be seen before it is nobody's: a shared device, an office's phone. */
function Limits({
  ids,
  of,
  onChange,
  problem,
}: {
  ids: Identifier[];
  of: Identifier;
  onChange: (limit: Record<string, unknown> | undefined) => void;
  problem?: string;
}) {
  const others = ids.filter((t) => t.name !== "" && t.name !== of.name);
  return (
    <fieldset className="space-y-2">
      <legend className="text-sm font-medium">
        It is shared, and so nobody's, when seen with more than{" "}
        <span className="font-normal text-soft">(optional)</span>
      </legend>
      {others.map((t) => (
        <label key={t.name} className="flex items-center gap-2 text-sm">
          <input
            inputMode="numeric"
            value={String(of.limit?.[t.name] ?? "")}
            onChange={(e) => {
              const { [t.name]: _, ...rest } = of.limit ?? {};
              const n = Number(e.target.value.replace(/\D/g, "").slice(0, 6));
              const next = n > 0 ? { ...rest, [t.name]: n } : rest;
              onChange(Object.keys(next).length > 0 ? next : undefined);
            }}
            className="h-9 w-20 rounded-lg border border-edge bg-card px-2.5 text-sm text-ink"
          />
          values of {plain(t.name)}
        </label>
      ))}
      {problem ? (
        <p role="alert" className="text-sm text-bad">
          {problem}
        </p>
      ) : null}
    </fieldset>
  );
}

/** The rules of an identifier in words. */
function rulesText(t: Identifier): string {
  const parts = [
    t.clean ? `compared ${cleanings.find((c) => c.value === t.clean)?.title ?? ""}` : "",
    t.match ? `only ${t.match}` : "",
    t.block && t.block.length > 0 ? `${t.block.length} blocked` : "",
    ...Object.entries(t.limit ?? {}).map(([name, n]) => `at most ${String(n)} ${plain(name)}`),
    t.expire ? `forgotten after ${t.expire}` : "",
  ].filter((p) => p !== "");
  return parts.length === 0 ? "No further rules" : `Rules: ${parts.join(", ")}`;
}

/** Without members that say nothing. */
function without(t: { [K in keyof Identifier]?: Identifier[K] | undefined }): Identifier {
  return Object.fromEntries(Object.entries(t).filter(([, v]) => v !== undefined)) as unknown as Identifier;
}
