import { type ReactNode, useId, useState } from "react";
import { Button } from "../../parts/button";
import { Icon } from "../../parts/icon";

type Props = {
  label: string;
  hint?: ReactNode;
  optional?: boolean;
  problem?: string;
  /** Whether values may be any JSON; a text that is none stands for itself. */
  json?: boolean;
  /** Whether values are shown as dots. */
  hidden?: boolean;
  /** What the names and the values are. */
  columns?: readonly string[] | undefined;
  value: Readonly<Record<string, unknown>>;
  onChange: (value: Record<string, unknown>) => void;
};

/** Names with their values. */
export function Pairs({
  label,
  hint,
  optional,
  problem,
  json = false,
  hidden = false,
  columns,
  value,
  onChange,
}: Props) {
  const [nameTitle = "Name", valueTitle = "Value"] = columns ?? [];
  const [rows, setRows] = useState(() => {
    const given = Object.entries(value).map(([k, v]): [string, string] => [k, shown(v)]);
    return given.length === 0 && !optional ? [blank] : given;
  });
  const id = useId();
  const change = (next: [string, string][]) => {
    setRows(next);
    onChange(Object.fromEntries(next.filter(([k]) => k !== "").map(([k, v]) => [k, json ? parsed(v) : v])));
  };
  const at = (i: number, row: [string, string]) => change(rows.map((r, n) => (n === i ? row : r)));
  const box = "h-9 w-full min-w-0 flex-1 rounded-lg border border-edge bg-card px-3 text-sm text-ink";
  return (
    <fieldset className="min-w-0 space-y-2 break-words" aria-describedby={hint ? `${id}-hint` : undefined}>
      <legend className="mb-1.5 text-sm font-medium">
        {label}
        {optional ? <span className="font-normal text-soft"> (optional)</span> : null}
      </legend>
      {rows.map(([k, v], i) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: rows have no identity of their own
        <div key={i} className="flex items-center gap-2">
          <input
            aria-label={`${nameTitle} ${i + 1} of ${label}`}
            placeholder={nameTitle}
            value={k}
            autoComplete="off"
            onChange={(e) => at(i, [e.target.value, v])}
            className={box}
          />
          <input
            aria-label={`${valueTitle} ${i + 1} of ${label}`}
            placeholder={valueTitle}
            type={hidden ? "password" : "text"}
            value={v}
            autoComplete={hidden ? "new-password" : "off"}
            onChange={(e) => at(i, [k, e.target.value])}
            className={box}
          />
          <Button onClick={() => change(rows.filter((_, n) => n !== i))} aria-label={`Remove ${k || `row ${i + 1}`}`}>
            <Icon name="close" />
          </Button>
        </div>
      ))}
      <Button onClick={() => setRows([...rows, blank])}>
        <Icon name="plus" />
        Add <span className="sr-only">to {label}</span>
      </Button>
      {problem ? (
        <p role="alert" className="text-sm text-bad">
          {problem}
        </p>
      ) : null}
      {hint ? (
        <p id={`${id}-hint`} className="text-sm text-soft">
          {hint}
        </p>
      ) : null}
    </fieldset>
  );
}

const blank: [string, string] = ["", ""];

function shown(v: unknown): string {
  return typeof v === "string" ? v : JSON.stringify(v);
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
