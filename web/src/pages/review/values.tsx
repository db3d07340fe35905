import { Difference } from "../../parts/difference";

type Props = { fields: readonly string[]; before: unknown; after: unknown; words: (field: string) => string };

/** Fields as they were and as they are since. Secrets show that they changed, never what they are. */
export function Values({ fields, before, after, words }: Props) {
  if (fields.length === 0) return null;
  return (
    <dl className="grid gap-x-4 gap-y-1 sm:grid-cols-[minmax(8rem,auto)_1fr]">
      {fields.map((f) => (
        <div key={f} className="contents">
          <dt className="text-soft">{words(f)}</dt>
          <dd className="min-w-0">
            {f.startsWith("secrets") ? (
              "a new value"
            ) : isText(at(before, f)) || isText(at(after, f)) ? (
              <Difference before={shown(at(before, f))} after={shown(at(after, f))} name={words(f)} />
            ) : (
              <span className="flex flex-wrap items-baseline gap-x-2">
                <Value of={at(before, f)} gone />
                <span aria-hidden="true" className="text-soft">
                  →
                </span>
                <Value of={at(after, f)} />
              </span>
            )}
          </dd>
        </div>
      ))}
    </dl>
  );
}

/** Whether a value has several lines, such as code. */
function isText(v: unknown): boolean {
  return typeof v === "string" && v.includes("\n");
}

function Value({ of, gone = false }: { of: unknown; gone?: boolean }) {
  const text = shown(of);
  if (text === "") return <span className="text-soft">nothing</span>;
  return (
    <span
      className={`max-w-full rounded px-1 font-mono text-[13px] break-all whitespace-pre-wrap ${gone ? "bg-bad-wash text-bad" : "bg-good-wash text-good"}`}
    >
      {text.length > 400 ? `${text.slice(0, 400)}…` : text}
    </span>
  );
}

export function shown(v: unknown): string {
  if (v === undefined || v === null) return "";
  if (typeof v === "string") return v;
  return JSON.stringify(v);
}

/** What stands at a path such as settings.batch.size. */
export function at(value: unknown, path: string): unknown {
  let v = value;
  for (const name of path.split(".")) {
    if (typeof v !== "object" || v === null) return undefined;
    v = (v as Record<string, unknown>)[name];
  }
  return v;
}
