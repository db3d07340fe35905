import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useMemo, useState } from "react";
import { type Language, setPolicy } from "../../api/policies";
import { Problem } from "../../api/problem";
import { Button } from "../../parts/button";
import { Command } from "../../parts/command";
import { Editor, type Mark } from "../../parts/editor";
import { Notice } from "../../parts/notice";
import { keys } from "../../queries";
import { Trouble } from "../trouble";
import { readRules, writeRules } from "./rules";
import { RulesForm } from "./rules-form";
import { TryPolicy } from "./try-policy";

type Props = {
  /** Its name; "" while a new one has none. */
  name: string;
  language: Language;
  /** What is kept of it; "" for a new one, which begins with start. */
  initial: string;
  start?: string;
  enabled: boolean;
  /** Whether the caller may save it. */
  owner: boolean;
  onSaved?: () => void;
};

/** The text of a policy: rules as a form or as YAML, Rego as code; with a test, and what is wrong at its line. */
export function PolicyEditor({ name, language, initial, start = initial, enabled, owner, onSaved }: Props) {
  const queries = useQueryClient();
  const [text, setText] = useState(start);
  const [kept, setKept] = useState(initial);
  const [asText, setAsText] = useState(false);
  const [broken, setBroken] = useState<Error | null>(null);
  const rules = useMemo(() => (language === "rules" ? readRules(text) : undefined), [language, text]);
  const form = rules !== undefined && !asText;
  const save = useMutation({
    mutationFn: () => setPolicy(name, language, text, enabled),
    onSuccess: async () => {
      setBroken(null);
      setKept(text);
      await queries.invalidateQueries({ queryKey: keys.policies() });
      onSaved?.();
    },
    onError: setBroken,
  });
  const marks = useMemo(() => marksOf(broken), [broken]);
  const type = (next: string) => {
    setText(next);
    setBroken(null);
  };
  const changed = text !== kept || initial === "";
  return (
    <div className="space-y-6">
      {language === "rules" ? (
        <div className="flex flex-wrap items-center gap-3">
          <Button onClick={() => setAsText(!asText)} disabled={rules === undefined} aria-pressed={!form}>
            {form ? "Show as text" : "Show as form"}
          </Button>
          {rules === undefined ? (
            <span className="text-sm text-warn">These rules have a shape that the form does not show.</span>
          ) : form && text.includes("#") ? (
            <span className="text-sm text-soft">Comments are lost when the form changes something.</span>
          ) : null}
        </div>
      ) : null}
      {form ? (
        <RulesForm rules={rules} onChange={(r) => type(writeRules(r))} />
      ) : (
        <Editor
          key={String(asText)}
          name={language === "rego" ? "The policy in Rego" : "The rules as YAML"}
          initial={text}
          onChange={type}
          language={language === "rego" ? "rego" : "yaml"}
          marks={marks}
        />
      )}
      {broken ? <Broken error={broken} /> : null}
      {owner ? (
        <div className="flex flex-wrap items-center gap-3">
          <Button
            look="strong"
            onClick={() => save.mutate()}
            disabled={save.isPending || name === "" || !changed || text.trim() === ""}
          >
            {save.isPending ? "Checking…" : "Save"}
          </Button>
          <span aria-live="polite" className="text-sm text-soft">
            {save.isSuccess && text === kept
              ? "Saved. Every change is held to it from now on."
              : changed && kept !== ""
                ? "Not saved yet."
                : ""}
          </span>
        </div>
      ) : (
        <p className="text-sm text-soft">Owners of the organization change policies.</p>
      )}
      <TryPolicy name={name} language={language} text={text} onBroken={setBroken} />
      {owner && name !== "" ? (
        <Command
          text={`weir policy try -f ${name}.${language === "rego" ? "rego" : "yaml"} --workspace NAME\nweir policy set ${name} -f ${name}.${language === "rego" ? "rego" : "yaml"}`}
          name="the commands that do the same"
        />
      ) : null}
    </div>
  );
}

/** Why it cannot be saved or tested. */
function Broken({ error }: { error: Error }) {
  const fields = error instanceof Problem ? error.fields : [];
  if (fields.length === 0) return <Trouble error={error} />;
  return (
    <Notice tone="bad" title={error.message}>
      <ul className="space-y-1">
        {fields.map((f) => (
          <li key={`${f.path} ${f.text}`}>
            {f.path.startsWith("text line") ? <span className="font-medium">Line {lineOf(f.path)}: </span> : null}
            {f.text}
          </li>
        ))}
      </ul>
    </Notice>
  );
}

function lineOf(path: string): number {
  return Number(/line (\d+)/.exec(path)?.[1] ?? 0);
}

/** What a refusal says of lines. */
function marksOf(error: Error | null): Mark[] {
  if (!(error instanceof Problem)) return [];
  return error.fields
    .map((f) => ({ line: lineOf(f.path) || lineOf(f.text), column: 1, text: f.text }))
    .filter((m) => m.line > 0);
}
