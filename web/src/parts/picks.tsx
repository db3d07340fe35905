import { useId, useState } from "react";
import { Button } from "./button";
import { Icon } from "./icon";

type Props = {
  label: string;
  hint?: string;
  values: readonly string[];
  /** What can be added; without it anything that is typed. */
  options?: readonly string[];
  /** What an empty list means. */
  none: string;
  onChange: (values: string[]) => void;
};

/** Several values under their label: each can be taken away, and others added. */
export function Picks({ label, hint, values, options, none, onChange }: Props) {
  const id = useId();
  const [typed, setTyped] = useState("");
  const add = (text: string) => {
    const fresh = text
      .split(/[\s,]+/)
      .map((v) => v.trim())
      .filter((v) => v !== "" && !values.includes(v));
    if (fresh.length > 0) onChange([...values, ...new Set(fresh)]);
    setTyped("");
  };
  const left = options?.filter((o) => !values.includes(o));
  return (
    <fieldset className="space-y-1.5">
      <legend className="text-sm font-medium">{label}</legend>
      <div className="flex flex-wrap items-center gap-1.5 pt-1.5">
        {values.map((v) => (
          <span
            key={v}
            className="inline-flex items-center gap-1 rounded-md bg-sunken py-0.5 pr-1 pl-2 text-sm break-all"
          >
            {v}
            <button
              type="button"
              aria-label={`Take ${v} out of ${label}`}
              onClick={() => onChange(values.filter((x) => x !== v))}
              className="rounded p-0.5 text-soft hover:text-ink"
            >
              <Icon name="close" />
            </button>
          </span>
        ))}
        {values.length === 0 ? <span className="text-sm text-soft">{none}</span> : null}
        {left ? (
          <select
            aria-label={`Add to ${label}`}
            value=""
            onChange={(e) => add(e.target.value)}
            className="h-8 rounded-lg border border-edge bg-card px-2 text-sm text-ink"
          >
            <option value="">Add…</option>
            {left.map((o) => (
              <option key={o}>{o}</option>
            ))}
          </select>
        ) : (
          <>
            <input
              id={id}
              aria-label={`Add to ${label}`}
              value={typed}
              onChange={(e) => setTyped(e.target.value)}
              onKeyDown={(e) => {
                if (e.key !== "Enter") return;
                e.preventDefault();
                add(typed);
              }}
              onBlur={() => add(typed)}
              className="h-8 w-36 rounded-lg border border-edge bg-card px-2 text-sm text-ink"
            />
            <Button onClick={() => add(typed)} disabled={typed.trim() === ""}>
              Add<span className="sr-only"> to {label}</span>
            </Button>
          </>
        )}
      </div>
      {hint ? <p className="text-sm text-soft">{hint}</p> : null}
    </fieldset>
  );
}
