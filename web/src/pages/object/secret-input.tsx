import { useState } from "react";
import type { Field } from "../../api/tenants";
import { Badge } from "../../parts/badge";
import { Button } from "../../parts/button";
import { Input, TextArea } from "../../parts/input";
import { Pairs } from "./pairs";

type Props = {
  field: Field;
  /** Whether there is a value already, that nobody sees any more. */
  held: "published" | "drafted" | undefined;
  typed: string | undefined;
  /** undefined keeps what is held. */
  onChange: (typed: string | undefined) => void;
  problem: string | undefined;
};

/** Whether a secret has lines, as files of keys do; others are typed as dots. */
function hasLines(f: Field): boolean {
  return (f.max ?? 0) > 8192 || /BEGIN/.test(f.pattern ?? "") || /JSON/.test(f.doc ?? "");
}

/** One secret: typed here, sealed here, and never shown again. */
export function SecretInput({ field: f, held, typed, onChange, problem }: Props) {
  const [changing, setChanging] = useState(false);
  if (held && !changing && typed === undefined)
    return (
      <div className="space-y-1.5">
        <p className="text-sm font-medium">{f.title}</p>
        <div className="flex flex-wrap items-center gap-3">
          <Badge tone="good">{held === "published" ? "Set" : "Sealed, not published yet"}</Badge>
          <Button onClick={() => setChanging(true)}>
            Change <span className="sr-only">{f.title}</span>
          </Button>
        </div>
        {problem ? (
          <p role="alert" className="text-sm text-bad">
            {problem}
          </p>
        ) : null}
      </div>
    );
  const keep = held ? (
    <Button
      onClick={() => {
        onChange(undefined);
        setChanging(false);
      }}
    >
      Keep the former {f.title.toLowerCase()}
    </Button>
  ) : null;
  const common = {
    label: f.title,
    optional: !f.required,
    ...(f.doc ? { hint: f.doc } : {}),
    ...(problem ? { problem } : {}),
  };
  return (
    <div className="space-y-2">
      {f.type === "map" ? (
        <Pairs
          {...common}
          hidden
          value={{}}
          onChange={(v) => onChange(Object.keys(v).length === 0 ? undefined : JSON.stringify(v))}
        />
      ) : hasLines(f) ? (
        <TextArea
          {...common}
          mono
          spellCheck={false}
          value={typed ?? ""}
          onChange={(e) => onChange(e.target.value === "" ? undefined : e.target.value)}
        />
      ) : (
        <Input
          {...common}
          type="password"
          autoComplete="new-password"
          value={typed ?? ""}
          onChange={(e) => onChange(e.target.value === "" ? undefined : e.target.value)}
        />
      )}
      {keep}
    </div>
  );
}
